/* SPDX-License-Identifier: Apache-2.0
 * Which names are taken, and which clash. */
#include "transfer/manifest.h"

#include "tests/support/test.h"

#include <stdio.h>

static const char *problem_of(const char *name)
{
    return ln_name_problem(name, strlen(name));
}

LN_TEST(name, ordinary_ones_are_taken)
{
    static const char *const taken[] = {
        "a",           "a/b/c.txt",  ".hidden",     "..a",        "a..",
        "...a",        "with blank", "übung/größe", "日本語.txt", "2024-01-01T10:00",
        "console.log", "com",        "com10",       "nullable",   "a.linnet.parts",
        "-rf",         "~"
    };

    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        CHECK(problem_of(taken[i]) == NULL);
}

LN_TEST(name, what_leaves_the_folder_is_refused)
{
    CHECK_TEXT(problem_of("/etc/passwd"), "is absolute");
    CHECK_TEXT(problem_of("/"), "is absolute");
    CHECK_TEXT(problem_of("../x"), "has a part that is . or ..");
    CHECK_TEXT(problem_of("a/../../x"), "has a part that is . or ..");
    CHECK_TEXT(problem_of("a/.."), "has a part that is . or ..");
    CHECK_TEXT(problem_of("./a"), "has a part that is . or ..");
    CHECK_TEXT(problem_of("a//b"), "has an empty part");
    CHECK_TEXT(problem_of("a/"), "has an empty part");
    CHECK_TEXT(problem_of(""), "is empty");
    CHECK_TEXT(problem_of("a\\..\\b"), "has a backslash");
    CHECK_TEXT(problem_of(" . "), "has a part of dots and blanks only");
    CHECK_TEXT(problem_of("a/..."), "has a part of dots and blanks only");
}

LN_TEST(name, what_fools_the_eye_or_the_system_is_refused)
{
    char deep[2 * LN_NAME_PARTS_MAX + 2], wide[LN_NAME_PART_MAX + 2];

    CHECK_TEXT(ln_name_problem("a\0b", 3), "has a control character");
    CHECK_TEXT(problem_of("a\nb"), "has a control character");
    CHECK_TEXT(problem_of("a\x1b[2Jb"), "has a control character");
    CHECK_TEXT(problem_of("a\x7f"), "has a control character");
    CHECK_TEXT(problem_of("a\xc2\x85"), "has a control character");
    CHECK_TEXT(problem_of("txt.\xe2\x80\xae"
                          "exe"),
               "has a control character");
    CHECK_TEXT(problem_of("a\xff"), "is not UTF-8");
    CHECK_TEXT(problem_of("a\xed\xa0\x80"), "is not UTF-8");
    for (const char *const *at = (const char *const[]){ "con", "NUL", "x/aux.txt", "COM1",
                                                        "lpt9.tar.gz", "prn .c", NULL };
         *at; at++)
        CHECK_TEXT(problem_of(*at), "is the name of a device");
    CHECK_TEXT(problem_of("a.Linnet.PART"), "ends as an unfinished file does");
    memset(wide, 'w', sizeof wide);
    CHECK(ln_name_problem(wide, LN_NAME_PART_MAX) == NULL);
    CHECK_TEXT(ln_name_problem(wide, LN_NAME_PART_MAX + 1), "has a part that is too long");
    for (size_t i = 0; i < sizeof deep; i++)
        deep[i] = i % 2 ? '/' : 'd';
    CHECK(ln_name_problem(deep, 2 * LN_NAME_PARTS_MAX - 1) == NULL);
    CHECK_TEXT(ln_name_problem(deep, 2 * LN_NAME_PARTS_MAX + 1), "is too deep");
}

static int add(struct ln_manifest *m, enum ln_transfer_kind kind, const char *name,
               const char **ret_problem)
{
    struct ln_transfer_entry entry = { .kind = kind,
                                       .mode = 0644,
                                       .size = kind == LN_KIND_FILE ? 10 : 0,
                                       .name = { (const uint8_t *)name, strlen(name) } };

    *ret_problem = NULL;
    return ln_manifest_add(m, &entry, ret_problem);
}

LN_TEST(manifest, names_that_clash_are_refused)
{
    struct ln_manifest m;
    const char *problem;

    ln_manifest_init(&m, test_env());
    CHECK_EQUAL(add(&m, LN_KIND_FOLDER, "Photos", &problem), 0);
    CHECK_EQUAL(add(&m, LN_KIND_FILE, "Photos/a.jpg", &problem), 0);
    CHECK_EQUAL(add(&m, LN_KIND_FILE, "Photos/sub/b.jpg", &problem), 0);
    CHECK_EQUAL(add(&m, LN_KIND_FOLDER, "Photos/sub", &problem), 0);
    CHECK_EQUAL(m.count, 4);
    CHECK_EQUAL(m.files, 2);
    CHECK_EQUAL(m.bytes, 20);
    for (const char *const *at = (const char *const[]){ "Photos/a.jpg", "Photos/sub", NULL }; *at;
         at++) {
        CHECK_EQUAL(add(&m, LN_KIND_FILE, *at, &problem), LN_ERR_INVALID_ARGUMENT);
        CHECK_TEXT(problem, "comes twice");
    }
    for (const char *const *at = (const char *const[]){ "photos/c.jpg", "Photos/A.JPG", "PHOTOS",
                                                        "Photos/a.jpg.", "Photos/a.jpg ", NULL };
         *at; at++) {
        CHECK_EQUAL(add(&m, LN_KIND_FILE, *at, &problem), LN_ERR_INVALID_ARGUMENT);
        CHECK_TEXT(problem, "differs from another by case only");
    }
    CHECK_EQUAL(add(&m, LN_KIND_FILE, "Photos/a.jpg/x", &problem), LN_ERR_INVALID_ARGUMENT);
    CHECK_TEXT(problem, "lies below a file");
    CHECK_EQUAL(add(&m, LN_KIND_FILE, "größe", &problem), 0);
    CHECK_EQUAL(add(&m, LN_KIND_FILE, "GRÖßE", &problem), LN_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(add(&m, LN_KIND_FILE, "../x", &problem), LN_ERR_INVALID_ARGUMENT);
    CHECK_TEXT(problem, "has a part that is . or ..");
    ln_manifest_deinit(&m);
}

LN_TEST(manifest, an_unknown_size_makes_the_sum_unknown)
{
    struct ln_manifest m;
    const char *problem;
    struct ln_transfer_entry entry = { .size = LN_TRANSFER_SIZE_UNKNOWN,
                                       .name = { (const uint8_t *)"-", 1 } };

    ln_manifest_init(&m, test_env());
    CHECK_EQUAL(ln_manifest_add(&m, &entry, &problem), 0);
    CHECK(m.bytes == LN_TRANSFER_SIZE_UNKNOWN);
    entry.size = 7;
    entry.name.data = (const uint8_t *)"x";
    CHECK_EQUAL(ln_manifest_add(&m, &entry, &problem), 0);
    CHECK(m.bytes == LN_TRANSFER_SIZE_UNKNOWN);
    ln_manifest_deinit(&m);
}

LN_TEST(manifest, takes_thousands_of_entries)
{
    struct ln_manifest m;
    const char *problem;
    char name[64];

    ln_manifest_init(&m, test_env());
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "folder%d/file%d", i % 70, i);
        CHECK_EQUAL(add(&m, LN_KIND_FILE, name, &problem), 0);
    }
    CHECK_EQUAL(m.count, 5000);
    CHECK_BYTES(m.entries[4999].name.data, "folder29/file4999", 17);
    ln_manifest_deinit(&m);
}
