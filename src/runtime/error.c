/* error.c - the codes of enum rt_error as text. */
#include <stdio.h>

#include "base/base.h"
#include "runtime/runtime.h"

int rt_errno(int error)
{
    return error < RT_ESYS ? RT_ESYS - error : 0;
}

const char *rt_strerror(int error)
{
    static const char *const texts[] = {
        [-RT_OK] = "success",           [-RT_EAGAIN] = "would block", [-RT_ETIMEDOUT] = "timed out",
        [-RT_ECLOSED] = "closed",       [-RT_EOF] = "end of stream",  [-RT_ECANCELED] = "canceled",
        [-RT_ENOMEM] = "out of memory",
    };
    static _Thread_local char buf[128];
    if (rt_errno(error)) return strerror_r(rt_errno(error), buf, sizeof buf);
    if (error <= 0 && (size_t)-error < ARRAY_LEN(texts)) return texts[-error];
    return "unknown error";
}
