/* Calls by the numbers of another architecture, which the filter does not list.

Must: the program is killed at once
Ends: crash
Machine: x86_64
*/
#include <stdio.h>
#include <unistd.h>
int main(void) {
    long answer;
    printf("stopped nothing yet: not judged\n");
    fflush(stdout);
    __asm__ volatile("int $0x80" : "=a"(answer) : "a"(20L) : "memory"); /* getpid of i386 */
    printf("BROKE OUT i386 %ld\n", answer);
    return 0;
}
