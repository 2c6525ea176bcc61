/* SPDX-License-Identifier: Apache-2.0
 * The subcommands, one file each. argv[0] is the subcommand's name; the result is the exit code. */
#ifndef LN_CLI_COMMANDS_H
#define LN_CLI_COMMANDS_H

int cli_bench(int argc, char **argv);
int cli_diagnose(int argc, char **argv);
int cli_peer(int argc, char **argv);
int cli_join(int argc, char **argv);
int cli_receive(int argc, char **argv);
int cli_send(int argc, char **argv);
int cli_serve(int argc, char **argv);
int cli_turn(int argc, char **argv);

#endif
