/* Reading weights from safetensors files, whose header is JSON: `"name":{"dtype":"F32","shape":[..],"data_offsets":[from,to]}`. */

typedef struct {
    const char *name, *shape; /* as the file writes them */
    float *at;
    int64_t count;
} tensor;

${lists}

enum { HEADER_ROOM = ${header_room} };
static char header[HEADER_ROOM], problem[512]; /* a file's header as text; the last thing that went wrong */

static const char *complain(const char *path, const char *what, const char *name) {
    snprintf(problem, sizeof problem, "%s: %s%s", path, what, name);
    return problem;
}

/* What stands behind `"key":` from `at` to `end`; NULL if nothing does. */
static const char *field(const char *at, const char *end, const char *key) {
    const size_t length = strlen(key);
    for (; (at = strstr(at, key)) && at < end; at++) {
        if (at[-1] != '"' || at[length] != '"') continue;
        const char *value = at + length + 1;
        value += strspn(value, " \t\r\n");
        if (*value == ':') return value + 1 + strspn(value + 1, " \t\r\n");
    }
    return NULL;
}

/* Whether `at` begins with `expected`, blanks aside. */
static int begins(const char *at, const char *expected) {
    for (; *expected; at++, expected++) {
        at += strspn(at, " \t\r\n");
        if (*at != *expected) return 0;
    }
    return 1;
}

/* Every tensor of a list from a safetensors file: its name, type and shape must be there. Numbers lie in the byte order of the file,
   which is little endian. */
static const char *read_tensors(const char *path, const tensor *list, int count) {
    FILE *file = fopen(path, "rb");
    unsigned char size[8];
    uint64_t length = 0;
    const char *wrong = NULL;
    if (!file) return complain(path, "cannot be opened", "");
    if (fread(size, 1, 8, file) == 8)
        for (int i = 7; i >= 0; i--) length = length << 8 | size[i];
    if (length < 2 || length >= HEADER_ROOM || fread(header, 1, (size_t)length, file) != length)
        wrong = complain(path, "is no safetensors file of this model", "");
    else
        header[length] = 0;
    for (int i = 0; i < count && !wrong; i++) {
        const char *entry = field(header + 1, header + length, list[i].name), *end = entry ? strchr(entry, '}') : NULL;
        const char *type = end ? field(entry, end, "dtype") : NULL, *shape = end ? field(entry, end, "shape") : NULL;
        const char *where = end ? field(entry, end, "data_offsets") : NULL;
        if (!type || !shape || !where || *where != '[')
            wrong = complain(path, "lacks ", list[i].name);
        else if (!begins(type, "\"F32\"") || !begins(shape, list[i].shape))
            wrong = complain(path, "has another type or shape than float32 of this model: ", list[i].name);
        else {
            const long long from = strtoll(where + 1, NULL, 10);
            if (from < 0 || fseek(file, (long)(8 + (long long)length + from), SEEK_SET) ||
                fread(list[i].at, sizeof(float), (size_t)list[i].count, file) != (size_t)list[i].count)
                wrong = complain(path, "is cut off at ", list[i].name);
        }
    }
    fclose(file);
    return wrong;
}

static float *find_tensor(const char *name, int64_t *count) {
    for (int i = 0; i < PARAMETERS; i++)
        if (!strcmp(parameters[i].name, name)) {
            *count = parameters[i].count;
            return parameters[i].at;
        }
    return NULL;
}
