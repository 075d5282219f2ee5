// The smallest static program: it exits at once. What it costs is what the system charges for any process.

.globl _start
_start:
#if defined(__x86_64__)
    mov $60, %eax               // exit
    xor %edi, %edi
    syscall
#elif defined(__aarch64__)
    mov x8, #93                 // exit
    mov x0, #0
    svc #0
#else
#error "add the system call exit(0) of this processor"
#endif

.section .note.GNU-stack,"",%progbits
