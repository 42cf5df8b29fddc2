;; Opens a file by its absolute path.
;;
;; Must: refused
;; Way: wasm
;; Ends: exit
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (data (i32.const 1024) "BROKE OUT\0a")
  (data (i32.const 2048) "/etc/passwd")
  (func $broke_out
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 10))
    (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start") (local $fd i32)
    ;; below every folder it was given
    (local.set $fd (i32.const 3))
    (loop $next
      (if (i32.eqz (call $open (local.get $fd) (i32.const 1) (i32.const 2048) (i32.const 11)
          (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 12)))
        (then (call $broke_out)))
      (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $fd) (i32.const 64))))
    (call $exit (i32.const 7))))
