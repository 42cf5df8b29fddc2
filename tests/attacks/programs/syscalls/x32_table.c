/* Calls by the x32 table: the same calls under numbers that are not in the list.

Must: the program is killed at once
Ends: crash
Machine: x86_64
*/
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>
#include <sys/syscall.h>
int main(void) {
    printf("stopped nothing yet: not judged\n");
    fflush(stdout);
    long answer = syscall(0x40000000L + 39);
    printf("BROKE OUT x32 %ld\n", answer);
    return 0;
}
