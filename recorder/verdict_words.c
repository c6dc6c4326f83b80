// SPDX-License-Identifier: MIT
/* verdict_words.c - the names of what a verdict is made of. */
#include "recorder/verdict.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>

const char *verdict_how_name(enum verdict_how how)
{
	switch (how) {
	case VERDICT_EXIT:
		return "exit";
	case VERDICT_FAULT:
		return "fault";
	case VERDICT_ABORT:
		return "abort";
	case VERDICT_SIGNAL:
		return "signal";
	case VERDICT_EXEC:
		return "exec";
	case VERDICT_ALIVE:
		return "alive";
	case VERDICT_OOM:
		return "oom";
	case VERDICT_CGROUP_KILL:
		return "cgroup_kill";
	case VERDICT_PARENT_DEATH:
		return "parent_death";
	case VERDICT_PIDNS_DEATH:
		return "pidns_death";
	case VERDICT_RLIMIT_CPU:
		return "rlimit_cpu";
	case VERDICT_SECCOMP:
		return "seccomp";
	case VERDICT_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *verdict_confidence_name(enum verdict_confidence confidence)
{
	switch (confidence) {
	case VERDICT_HIGH:
		return "high";
	case VERDICT_MEDIUM:
		return "medium";
	case VERDICT_LOW:
		break;
	}
	return "low";
}

#define NAME(symbol) [symbol] = #symbol

const char *verdict_signal_name(int signal, char *buffer, size_t bytes)
{
	static const char *const names[] = {
		NAME(SIGHUP),	 NAME(SIGINT),	NAME(SIGQUIT), NAME(SIGILL),	NAME(SIGTRAP),
		NAME(SIGABRT),	 NAME(SIGBUS),	NAME(SIGFPE),  NAME(SIGKILL),	NAME(SIGUSR1),
		NAME(SIGSEGV),	 NAME(SIGUSR2), NAME(SIGPIPE), NAME(SIGALRM),	NAME(SIGTERM),
		NAME(SIGSTKFLT), NAME(SIGCHLD), NAME(SIGCONT), NAME(SIGSTOP),	NAME(SIGTSTP),
		NAME(SIGTTIN),	 NAME(SIGTTOU), NAME(SIGURG),  NAME(SIGXCPU),	NAME(SIGXFSZ),
		NAME(SIGVTALRM), NAME(SIGPROF), NAME(SIGWINCH), NAME(SIGIO),	NAME(SIGPWR),
		NAME(SIGSYS),
	};

	if (signal > 0 && signal < (int)(sizeof(names) / sizeof(names[0])))
		snprintf(buffer, bytes, "%s", names[signal]);
	else
		snprintf(buffer, bytes, "SIG%d", signal);
	return bytes ? buffer : "";
}

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static const char *code_above_zero(int signal, int code)
{
	/* By number: not every libc knows all the names. include/uapi/asm-generic/siginfo.h */
	static const char *const ill[] = {NULL, "ILL_ILLOPC", "ILL_ILLOPN", "ILL_ILLADR",
					  "ILL_ILLTRP", "ILL_PRVOPC", "ILL_PRVREG",
					  "ILL_COPROC", "ILL_BADSTK", "ILL_BADIADDR"};
	static const char *const fpe[] = {NULL, "FPE_INTDIV", "FPE_INTOVF", "FPE_FLTDIV",
					  "FPE_FLTOVF", "FPE_FLTUND", "FPE_FLTRES",
					  "FPE_FLTINV", "FPE_FLTSUB"};
	static const char *const segv[] = {NULL, "SEGV_MAPERR", "SEGV_ACCERR", "SEGV_BNDERR",
					   "SEGV_PKUERR", "SEGV_ACCADI", "SEGV_ADIDERR",
					   "SEGV_ADIPERR", "SEGV_MTEAERR", "SEGV_MTESERR",
					   "SEGV_CPERR"};
	static const char *const bus[] = {NULL, "BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR",
					  "BUS_MCEERR_AR", "BUS_MCEERR_AO"};
	static const char *const trap[] = {NULL, "TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH",
					   "TRAP_HWBKPT", "TRAP_UNK", "TRAP_PERF"};
	static const char *const sys[] = {NULL, "SYS_SECCOMP", "SYS_USER_DISPATCH"};
	static const char *const io[] = {NULL, "POLL_IN", "POLL_OUT", "POLL_MSG", "POLL_ERR",
					 "POLL_PRI", "POLL_HUP"};
	static const struct {
		int signal, count;
		const char *const *names;
	} tables[] = {
		{SIGILL, COUNT(ill), ill},	{SIGFPE, COUNT(fpe), fpe},
		{SIGSEGV, COUNT(segv), segv},	{SIGBUS, COUNT(bus), bus},
		{SIGTRAP, COUNT(trap), trap},	{SIGSYS, COUNT(sys), sys},
		{SIGIO, COUNT(io), io},
	};

	for (int i = 0; i < COUNT(tables); i++)
		if (tables[i].signal == signal)
			return code < tables[i].count ? tables[i].names[code] : NULL;
	return NULL;
}

const char *verdict_code_name(int signal, int code)
{
	switch (code) {
	case SI_USER:
		return "SI_USER";
	case SI_QUEUE:
		return "SI_QUEUE";
	case SI_TIMER:
		return "SI_TIMER";
	case SI_MESGQ:
		return "SI_MESGQ";
	case SI_ASYNCIO:
		return "SI_ASYNCIO";
	case SI_SIGIO:
		return "SI_SIGIO";
	case SI_TKILL:
		return "SI_TKILL";
	case SI_ASYNCNL:
		return "SI_ASYNCNL";
	case SI_KERNEL:
		return "SI_KERNEL";
	default:
		return code > 0 ? code_above_zero(signal, code) : NULL;
	}
}

void verdict_reason(const struct verdict *verdict, char *buffer, size_t bytes)
{
	switch (verdict->how) {
	case VERDICT_EXIT:
		snprintf(buffer, bytes, "exit-%d", verdict->exit_code);
		return;
	case VERDICT_FAULT:
	case VERDICT_SIGNAL:
		verdict_signal_name(verdict->signal, buffer, bytes);
		for (size_t i = 0; i < bytes && buffer[i]; i++)
			buffer[i] = (char)tolower((unsigned char)buffer[i]);
		return;
	case VERDICT_ALIVE:
		snprintf(buffer, bytes, "snapshot");
		return;
	default:
		snprintf(buffer, bytes, "%s", verdict_how_name(verdict->how));
		for (size_t i = 0; i < bytes && buffer[i]; i++)
			if (buffer[i] == '_')
				buffer[i] = '-';
	}
}
