// Commands as a person pastes them into a shell.

#ifndef AMC_CMD_SHELL_H
#define AMC_CMD_SHELL_H

// The word as a shell reads it, new text: in quotes where it holds more than what paths mostly do.
char *amc_shell_word(const char *word);

// Remembers how the program was started: argv, of argc words, before anything is taken out of it.
void amc_shell_keep(int argc, char **argv);

// That command line without -resume, and then with one more word (NULL: none), new text; a line
// that goes on with what is there has no -remeasure.
char *amc_shell_line(const char *more);

#endif
