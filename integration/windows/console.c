// Starts a program in a console of its own, and presses Ctrl-C there for each line that it reads.
//
//   console PROGRAM ARGUMENTS...
//
// Without a terminal a program under wine has no console, and Ctrl-C is an event of a console. So this program
// starts itself once more, in a new console without a window, and starts there the program, which keeps the outputs
// of this one. It ends with the program, and with its status.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#define IN_THE_NEW_CONSOLE "--in-the-new-console"

static BOOL WINAPI ignore(DWORD event) { return TRUE; }

static DWORD WINAPI press_ctrl_c(LPVOID unused) {
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        // To all of this console, and this program ignores it.
        if (!GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0)) {
            fprintf(stderr, "console: Ctrl-C failed with error %lu\n", GetLastError());
        }
    }
    return 0;
}

static HANDLE start(char *line, DWORD flags) {
    STARTUPINFOA startup = {
        .cb = sizeof startup,
        .dwFlags = STARTF_USESTDHANDLES,
        .hStdInput = GetStdHandle(STD_INPUT_HANDLE),
        .hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE),
        .hStdError = GetStdHandle(STD_ERROR_HANDLE),
    };
    PROCESS_INFORMATION started;
    if (!CreateProcessA(NULL, line, NULL, NULL, TRUE, flags, NULL, NULL, &startup, &started)) {
        fprintf(stderr, "console: error %lu at the start of %s\n", GetLastError(), line);
        exit(127);
    }
    return started.hProcess;
}

int main(int count, char **words) {
    char line[32768] = ""; // as long as Windows allows
    int is_inside = count > 1 && strcmp(words[1], IN_THE_NEW_CONSOLE) == 0;
    if (!is_inside) {
        snprintf(line, sizeof line, "\"%s\" " IN_THE_NEW_CONSOLE, words[0]);
    }
    for (int number = is_inside ? 2 : 1; number < count; number++) {
        size_t end = strlen(line);
        const char *between = end ? " " : "";
        snprintf(line + end, sizeof line - end, "%s\"%s\"", between, words[number]); // no argument here has quotes
    }
    HANDLE child = start(line, is_inside ? 0 : CREATE_NO_WINDOW);
    if (is_inside) {
        SetConsoleCtrlHandler(ignore, TRUE);
        CreateThread(NULL, 0, press_ctrl_c, NULL, 0, NULL);
    }
    DWORD status = 1;
    WaitForSingleObject(child, INFINITE);
    GetExitCodeProcess(child, &status);
    TerminateProcess(GetCurrentProcess(), status); // ExitProcess would wait for the thread that reads
}
