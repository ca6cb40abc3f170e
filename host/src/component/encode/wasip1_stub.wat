;; Answers every call of WASI preview 1 inside the component, so that a module which was made for WASI imports nothing
;; but the op interface: its ops stay pure.
;;
;; - Clocks are counters. The wall clock begins at 2000-01-01 UTC, the others at 0; each look adds 1 µs, and a sleep is
;;   over at once and adds its time.
;; - Randomness is a fixed sequence (xorshift64*). It is not for secrets.
;; - What is written to stdout and stderr goes to the step's log, a message per line (levels info and warn).
;; - stdin is empty. There are no other files, no arguments, no environment, no sockets.
;; - proc_exit and proc_raise trap.
;;
;; wasip1_stub.wasm is this file assembled; a test keeps it so. Numbers of errors and layouts: the witx files of
;; wasi_snapshot_preview1.
(module
  (import "env" "memory" (memory 0))
  (import "__main_module__" "cabi_realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "dynhost:op/step@0.1.0" "log"
    (func $log (param $level i32) (param $text i32) (param $length i32) (param $fields i32) (param $count i32)))

  (global $elapsed (mut i64) (i64.const 0))
  (global $random (mut i64) (i64.const 0x9E3779B97F4A7C15))
  ;; 64 KiB of the module's memory, taken when text has to be put together; 0 before. Exactly as much as can be had
  ;; from a module without an allocator of its own.
  (global $scratch (mut i32) (i32.const 0))

  ;; ---- clocks ----

  (func $now (param $clock i32) (result i64)
    (global.set $elapsed (i64.add (global.get $elapsed) (i64.const 1000)))
    (if (result i64) (i32.eqz (local.get $clock))
      (then (i64.add (global.get $elapsed) (i64.const 946684800000000000)))
      (else (global.get $elapsed))))

  (func (export "clock_res_get") (param $clock i32) (param $out i32) (result i32)
    (if (i32.gt_u (local.get $clock) (i32.const 3)) (then (return (i32.const 28))))
    (i64.store (local.get $out) (i64.const 1000))
    (i32.const 0))

  (func (export "clock_time_get") (param $clock i32) (param $precision i64) (param $out i32) (result i32)
    (if (i32.gt_u (local.get $clock) (i32.const 3)) (then (return (i32.const 28))))
    (i64.store (local.get $out) (call $now (local.get $clock)))
    (i32.const 0))

  ;; Every subscription is answered: a clock has rung, and there is nothing to read or write.
  (func (export "poll_oneoff") (param $in i32) (param $out i32) (param $count i32) (param $done i32) (result i32)
    (local $left i32) (local $kind i32) (local $wait i64)
    (if (i32.eqz (local.get $count)) (then (return (i32.const 28))))
    (local.set $left (local.get $count))
    (loop $next
      (local.set $kind (i32.load8_u offset=8 (local.get $in)))
      (memory.fill (local.get $out) (i32.const 0) (i32.const 32))
      (i64.store (local.get $out) (i64.load (local.get $in)))
      (i32.store8 offset=10 (local.get $out) (local.get $kind))
      (if (i32.eqz (local.get $kind))
        (then
          (local.set $wait (i64.load offset=24 (local.get $in)))
          ;; An absolute time is waited for as long as it is ahead.
          (if (i32.and (i32.load16_u offset=40 (local.get $in)) (i32.const 1))
            (then
              (local.set $wait
                (i64.sub (local.get $wait) (call $now (i32.load offset=16 (local.get $in)))))
              (if (i64.lt_s (local.get $wait) (i64.const 0)) (then (local.set $wait (i64.const 0))))))
          (global.set $elapsed (i64.add (global.get $elapsed) (local.get $wait))))
        (else (i32.store16 offset=8 (local.get $out) (i32.const 8))))
      (local.set $in (i32.add (local.get $in) (i32.const 48)))
      (local.set $out (i32.add (local.get $out) (i32.const 32)))
      (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (i32.store (local.get $done) (local.get $count))
    (i32.const 0))

  ;; What the adapters of WASI offer besides, for Go: while it allocates what is lowered, no clock may be asked. These
  ;; clocks may.
  (func (export "adapter_monotonic_clock_set_paused") (param $paused i32))

  (func (export "sched_yield") (result i32) (i32.const 0))

  ;; ---- randomness ----

  (func (export "random_get") (param $out i32) (param $length i32) (result i32)
    (local $x i64)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $length)))
        (local.set $x (global.get $random))
        (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 12))))
        (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 25))))
        (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 27))))
        (global.set $random (local.get $x))
        (i32.store8 (local.get $out)
          (i32.wrap_i64
            (i64.shr_u (i64.mul (local.get $x) (i64.const 0x2545F4914F6CDD1D)) (i64.const 56))))
        (local.set $out (i32.add (local.get $out) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br $next)))
    (i32.const 0))

  ;; ---- what is printed ----

  ;; How many bytes the code point at $at has; 0 where there is no well-formed one before $end.
  (func $width (param $at i32) (param $end i32) (result i32)
    (local $first i32) (local $second i32) (local $width i32) (local $n i32)
    (local.set $first (i32.load8_u (local.get $at)))
    (if (i32.lt_u (local.get $first) (i32.const 0x80)) (then (return (i32.const 1))))
    (if (i32.lt_u (local.get $first) (i32.const 0xC2)) (then (return (i32.const 0))))
    (if (i32.gt_u (local.get $first) (i32.const 0xF4)) (then (return (i32.const 0))))
    (local.set $width
      (i32.add (i32.const 2)
        (i32.add (i32.ge_u (local.get $first) (i32.const 0xE0)) (i32.ge_u (local.get $first) (i32.const 0xF0)))))
    (if (i32.gt_u (local.get $width) (i32.sub (local.get $end) (local.get $at))) (then (return (i32.const 0))))
    (local.set $n (i32.const 1))
    (loop $next
      (if (i32.ne
            (i32.and (i32.load8_u (i32.add (local.get $at) (local.get $n))) (i32.const 0xC0))
            (i32.const 0x80))
        (then (return (i32.const 0))))
      (br_if $next
        (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (local.get $width))))
    ;; Too long a form, a surrogate, or beyond the last code point.
    (local.set $second (i32.load8_u offset=1 (local.get $at)))
    (if (i32.and (i32.eq (local.get $first) (i32.const 0xE0)) (i32.lt_u (local.get $second) (i32.const 0xA0)))
      (then (return (i32.const 0))))
    (if (i32.and (i32.eq (local.get $first) (i32.const 0xED)) (i32.ge_u (local.get $second) (i32.const 0xA0)))
      (then (return (i32.const 0))))
    (if (i32.and (i32.eq (local.get $first) (i32.const 0xF0)) (i32.lt_u (local.get $second) (i32.const 0x90)))
      (then (return (i32.const 0))))
    (if (i32.and (i32.eq (local.get $first) (i32.const 0xF4)) (i32.ge_u (local.get $second) (i32.const 0x90)))
      (then (return (i32.const 0))))
    (local.get $width))

  (func $need_scratch
    (if (i32.eqz (global.get $scratch))
      (then
        (global.set $scratch
          (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 65536))))))

  ;; Logs one line. Bytes that are not UTF-8 become question marks, in a copy.
  (func $line (param $level i32) (param $text i32) (param $length i32)
    (local $at i32) (local $end i32) (local $width i32)
    (if (i32.eqz (local.get $length)) (then (return)))
    (local.set $end (i32.add (local.get $text) (local.get $length)))
    (local.set $at (local.get $text))
    (block $checked
      (loop $next
        (br_if $checked (i32.ge_u (local.get $at) (local.get $end)))
        (if (i32.eqz (local.tee $width (call $width (local.get $at) (local.get $end))))
          (then
            (if (i32.ne (local.get $text) (global.get $scratch))
              (then
                (call $need_scratch)
                (if (i32.gt_u (local.get $length) (i32.const 65536))
                  (then
                    (local.set $length (i32.const 65536))))
                (memory.copy (global.get $scratch) (local.get $text) (local.get $length))
                (local.set $at (i32.add (global.get $scratch) (i32.sub (local.get $at) (local.get $text))))
                (local.set $text (global.get $scratch))
                (local.set $end (i32.add (local.get $text) (local.get $length)))
                (br_if $checked (i32.ge_u (local.get $at) (local.get $end)))))
            (i32.store8 (local.get $at) (i32.const 0x3F))
            (local.set $width (i32.const 1))))
        (local.set $at (i32.add (local.get $at) (local.get $width)))
        (br $next)))
    (call $log (local.get $level) (local.get $text) (local.get $length) (i32.const 0) (i32.const 0)))

  ;; Logs each line of a text.
  (func $lines (param $level i32) (param $text i32) (param $length i32)
    (local $at i32) (local $end i32)
    (local.set $at (local.get $text))
    (local.set $end (i32.add (local.get $text) (local.get $length)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 10))
          (then
            (call $line (local.get $level) (local.get $text) (i32.sub (local.get $at) (local.get $text)))
            (local.set $text (i32.add (local.get $at) (i32.const 1)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (call $line (local.get $level) (local.get $text) (i32.sub (local.get $end) (local.get $text))))

  ;; One call is one text. A text in one piece is logged where it lies, so that a runtime that is about to give up can
  ;; still print; one in several pieces is put together first, and cut where it does not fit.
  (func (export "fd_write") (param $fd i32) (param $pieces i32) (param $count i32) (param $written i32) (result i32)
    (local $level i32) (local $total i32) (local $text i32) (local $length i32) (local $filled i32) (local $size i32)
    (if (i32.gt_u (i32.sub (local.get $fd) (i32.const 1)) (i32.const 1)) (then (return (i32.const 8))))
    (local.set $level (i32.add (local.get $fd) (i32.const 1)))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $size (i32.load offset=4 (local.get $pieces)))
        (if (local.get $size)
          (then
            (local.set $total (i32.add (local.get $total) (local.get $size)))
            (if (local.get $length)
              (then
                (call $need_scratch)
                (if (i32.eqz (local.get $filled))
                  (then
                    (if (i32.le_u (local.get $length) (i32.const 65536))
                      (then
                        (memory.copy (global.get $scratch) (local.get $text) (local.get $length))
                        (local.set $filled (local.get $length)))
                      (else
                        (call $lines (local.get $level) (local.get $text) (local.get $length))
                        (local.set $length (i32.const 0))))))
                (if (i32.gt_u (local.get $size) (i32.sub (i32.const 65536) (local.get $filled)))
                  (then
                    (call $lines (local.get $level) (global.get $scratch) (local.get $filled))
                    (local.set $filled (i32.const 0))
                    (local.set $length (i32.const 0)))))) 
            (if (local.get $filled)
              (then
                (memory.copy
                  (i32.add (global.get $scratch) (local.get $filled))
                  (i32.load (local.get $pieces))
                  (local.get $size))
                (local.set $filled (i32.add (local.get $filled) (local.get $size)))
                (local.set $length (local.get $filled)))
              (else
                (local.set $text (i32.load (local.get $pieces)))
                (local.set $length (local.get $size))))))
        (local.set $pieces (i32.add (local.get $pieces) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (if (local.get $filled) (then (local.set $text (global.get $scratch))))
    (call $lines (local.get $level) (local.get $text) (local.get $length))
    (i32.store (local.get $written) (local.get $total))
    (i32.const 0))

  ;; ---- files: stdin, stdout and stderr are there, nothing else ----

  (func $standard (param $fd i32) (result i32)
    (select (i32.const 0) (i32.const 8) (i32.lt_u (local.get $fd) (i32.const 3))))

  (func (export "fd_read") (param $fd i32) (param i32 i32) (param $read i32) (result i32)
    (if (local.get $fd) (then (return (i32.const 8))))
    (i32.store (local.get $read) (i32.const 0))
    (i32.const 0))

  ;; A terminal for all that a libc looks at, so that it writes line by line.
  (func (export "fd_fdstat_get") (param $fd i32) (param $out i32) (result i32)
    (if (i32.ge_u (local.get $fd) (i32.const 3)) (then (return (i32.const 8))))
    (memory.fill (local.get $out) (i32.const 0) (i32.const 24))
    (i32.store8 (local.get $out) (i32.const 2))
    (i64.store offset=8 (local.get $out)
      (select (i64.const 0x40) (i64.const 0x2) (local.get $fd)))
    (i32.const 0))

  (func (export "fd_filestat_get") (param $fd i32) (param $out i32) (result i32)
    (if (i32.ge_u (local.get $fd) (i32.const 3)) (then (return (i32.const 8))))
    (memory.fill (local.get $out) (i32.const 0) (i32.const 64))
    (i32.store8 offset=16 (local.get $out) (i32.const 2))
    (i32.const 0))

  (func (export "fd_close") (param $fd i32) (result i32) (call $standard (local.get $fd)))
  (func (export "fd_sync") (param $fd i32) (result i32) (call $standard (local.get $fd)))
  (func (export "fd_datasync") (param $fd i32) (result i32) (call $standard (local.get $fd)))
  (func (export "fd_fdstat_set_flags") (param $fd i32) (param i32) (result i32) (call $standard (local.get $fd)))
  (func (export "fd_advise") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_allocate") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_fdstat_set_rights") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_size") (param i32 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_times") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_pread") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_pwrite") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_readdir") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_renumber") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_seek") (param $fd i32) (param i64 i32 i32) (result i32)
    (select (i32.const 70) (i32.const 8) (i32.lt_u (local.get $fd) (i32.const 3))))
  (func (export "fd_tell") (param $fd i32) (param i32) (result i32)
    (select (i32.const 70) (i32.const 8) (i32.lt_u (local.get $fd) (i32.const 3))))

  (func (export "path_create_directory") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_filestat_get") (param i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (i32.const 8))
  (func (export "path_readlink") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_remove_directory") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_rename") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_symlink") (param i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_unlink_file") (param i32 i32 i32) (result i32) (i32.const 8))

  (func (export "sock_accept") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_recv") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_send") (param i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_shutdown") (param i32 i32) (result i32) (i32.const 8))

  ;; ---- arguments, environment, the process ----

  (func $none (param $count i32) (param $bytes i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $bytes) (i32.const 0))
    (i32.const 0))
  (func (export "args_get") (param i32 i32) (result i32) (i32.const 0))
  (func (export "args_sizes_get") (param i32 i32) (result i32) (call $none (local.get 0) (local.get 1)))
  (func (export "environ_get") (param i32 i32) (result i32) (i32.const 0))
  (func (export "environ_sizes_get") (param i32 i32) (result i32) (call $none (local.get 0) (local.get 1)))
  (func $exit (export "proc_exit") (param i32) (unreachable))
  (func (export "proc_raise") (param i32) (result i32) (unreachable)))
