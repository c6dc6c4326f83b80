/* SPDX-License-Identifier: MIT */
/* config_show.c - the table, for people. */
#include <stdio.h>

#include "recorder/config.h"

/* " ($VARIABLE, default)" */
static void show_default(const struct config_row *row)
{
	const char *words = row->default_words ? row->default_words : row->otherwise;

	if (!words && !row->environment)
		return;
	fputs(" (", stdout);
	if (row->environment)
		printf("$%s", row->environment);
	if (words)
		printf("%s%s", row->environment ? ", " : "", words);
	putchar(')');
}

static void show_row(const struct config_row *row)
{
	char name[64];

	snprintf(name, sizeof(name), "--%s%s%s", row->name, row->argument ? " " : "",
		 row->argument ? row->argument : "");
	printf("  %c%c%s %-27s  %s", row->letter ? '-' : ' ', row->letter ? row->letter : ' ',
	       row->letter ? "," : " ", name, row->help);
	show_default(row);
	putchar('\n');
}

void config_help(void)
{
	puts("usage: ttlog-recorder [OPTION...]\n"
	     "       ttlog-recorder run [OPTION...] [--] COMMAND [ARGUMENT...]\n"
	     "       ttlog-recorder doctor [OPTION...]\n"
	     "\n"
	     "Holds the memory that programs linked with libttlog record into, and writes\n"
	     "a dump when one of them dies. `run` does so for one command, and exits as the\n"
	     "command does. `doctor` says what a recorder with these options can learn of\n"
	     "deaths here, and exits 1 if something is missing.\n");
	for (size_t i = 0; i < config_row_count; i++)
		show_row(&config_rows[i]);
	puts("\nWith `run`, DIR is the current folder unless it is given, the socket a\n"
	     "private one, and every end of a process is worth a dump.");
}

static const char *words_for(const struct config_row *row, const struct config_value *value)
{
	if (value->text)
		return value->text;
	if (row->kind == CONFIG_FLAG)
		return "no";
	return row->default_words ? row->default_words : "";
}

static void show_value(const struct config_row *row, const struct config_value *value)
{
	printf("%-24s = %-36s # %s\n", row->name, words_for(row, value),
	       value->where ? value->where : "default");
}

void config_show(const struct config *config)
{
	for (size_t i = 0; i < config_row_count; i++)
		if (!(config_rows[i].use & CONFIG_LINE_ONLY))
			show_value(&config_rows[i], &config->values[i]);
	rules_show(config->rules, stdout);
}
