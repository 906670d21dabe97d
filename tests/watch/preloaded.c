/* Two things that cannot be waited for: the wall clock of a process is ahead of the machine's by as many seconds as the
   file CLOCK_AHEAD says, and the process stops itself where it calls fsync() for the STOP_AT_FSYNCth time. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t which, struct timespec *at)
{
    int result = syscall(SYS_clock_gettime, which, at);
    const char *path = getenv("CLOCK_AHEAD");
    if (result == 0 && which == CLOCK_REALTIME && path != NULL) {
        char text[32] = "";
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            if (read(file, text, sizeof text - 1) > 0)
                at->tv_sec += atol(text);
            close(file);
        }
    }
    return result;
}

int fsync(int file)
{
    static int calls;
    const char *number = getenv("STOP_AT_FSYNC");
    if (number != NULL && ++calls == atoi(number))
        raise(SIGSTOP);
    return syscall(SYS_fsync, file);
}
