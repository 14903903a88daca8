;; Source of hello.wasm: writes one line through WASI's fd_write. Build it with any WebAssembly text assembler: wat2wasm hello.wat
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; one buffer: address 8, length 23; the text follows
  (data (i32.const 0) "\08\00\00\00\17\00\00\00Hello from WebAssembly\n")
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 48)))))
