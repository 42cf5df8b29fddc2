(; Answers with the line it was given: {"type":"result","outputs":{"request":LINE}}
   Compile it with `wat2wasm node.wat -o node.wasm`. ;)
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 32)
  (data (i32.const 64) "{\"type\":\"result\",\"outputs\":{\"request\":")
  (data (i32.const 128) "}}\n")

  ;; write LENGTH bytes at AT to standard output
  (func $say (param $at i32) (param $length i32)
    (loop $more
      (i32.store (i32.const 0) (local.get $at))
      (i32.store (i32.const 4) (local.get $length))
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))
      (local.set $length (i32.sub (local.get $length) (i32.load (i32.const 8))))
      (br_if $more (local.get $length))))

  (func (export "_start") (local $length i32)
    ;; standard input to its end
    (loop $more
      (i32.store (i32.const 0) (i32.add (i32.const 1024) (local.get $length)))
      (i32.store (i32.const 4) (i32.const 65536))
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (local.set $length (i32.add (local.get $length) (i32.load (i32.const 8))))
      (br_if $more (i32.load (i32.const 8))))
    (call $say (i32.const 64) (i32.const 38))
    ;; without the end of its line
    (call $say (i32.const 1024) (i32.sub (local.get $length) (i32.const 1)))
    (call $say (i32.const 128) (i32.const 3))))
