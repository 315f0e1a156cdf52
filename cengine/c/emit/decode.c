/* Greedy decoding of one language model, in one file: C11, libc and libm; no allocation, no threads.

   ${title}
   Written by cktrack; the kernels are the portable ones of engine ${engine},
   and give its bits where expf, logf, cos and sin are those of the same libm.

   As a program, which reads one prompt a line (token ids) and writes the ids that follow:
     cc -O2 -std=c11 -ffp-contract=off -DCK_MAIN decode.c -lm -o decode
     echo "17 4 99" | ./decode model.safetensors 400
   As a part of another: #include it, or compile it without CK_MAIN and repeat the declarations below in a header.
   Token ids are what tokenizer.json beside the checkpoint makes of text. Everything lies in one static arena of ${bytes} bytes. */

${includes}

enum {
    DECODE_VOCAB = ${vocab}, /* token ids are 0 .. DECODE_VOCAB - 1 */
    DECODE_CTX = ${ctx}, /* most tokens of a text, prompt included */
    DECODE_EOS = ${eos}, /* the end token; -1: the model has none */
};

/* Weights from a Hugging Face model.safetensors (float32). NULL, or a sentence that says what is wrong. */
const char *decode_load(const char *path);
/* A parameter by its Hugging Face name, to be filled from elsewhere; then call decode_prepare. NULL if there is none. */
float *decode_parameter(const char *name, int64_t *count);
void decode_prepare(void);
/* Begin another text. */
void decode_reset(void);
/* Append a token to the text; the logits[DECODE_VOCAB] of the next, or NULL if the text is full or there is no such token. */
const float *decode_feed(int32_t token);
/* Continue a prompt of `count` tokens: up to `most` new ids in `out` (room for `most`), the end token not among them. Returns how many;
   `why` becomes eos, budget or context. -1 and a sentence if the prompt is refused. */
int decode_generate(const int32_t *prompt, int count, int most, int32_t *out, const char **why);

${kernels}

${memory}

${programs}

${tables}

${weights}

${interface}

static int32_t fed; /* tokens of the text so far */

void decode_prepare(void) {
    fill_tables();
    prepare();
    decode_reset();
}

const char *decode_load(const char *path) {
    const char *wrong = read_tensors(path, parameters, PARAMETERS);
    if (!wrong) decode_prepare();
    return wrong;
}

float *decode_parameter(const char *name, int64_t *count) { return find_tensor(name, count); }

void decode_reset(void) { fed = 0; }

const float *decode_feed(int32_t token) {
    if (token < 0 || token >= DECODE_VOCAB || fed >= DECODE_CTX) return NULL;
    ids[0] = token, slot[0] = 0, pos[0] = fed++, said[0] = 0;
    forward();
    return logits;
}

int decode_generate(const int32_t *prompt, int count, int most, int32_t *out, const char **why) {
    int made = 0;
    *why = "expected a prompt of 1 to DECODE_CTX ids below DECODE_VOCAB, and room for at least one more id";
    if (count < 1 || count > DECODE_CTX || most < 1) return -1;
    decode_reset();
    for (int i = 0; i < count; i++)
        if (!decode_feed(prompt[i])) return -1;
    for (;;) {
        const int32_t token = next[0]; /* the lowest of the highest */
        *why = "eos";
        if (token == DECODE_EOS) return made;
        out[made++] = token;
        *why = made >= most ? "budget" : "context";
        if (made >= most || fed >= DECODE_CTX) return made;
        decode_feed(token);
    }
}

#ifdef CK_MAIN
int main(int argc, char **argv) {
    static char line[DECODE_CTX * 12];
    static int32_t prompt[DECODE_CTX], out[DECODE_CTX];
    const long most = argc > 2 ? strtol(argv[2], NULL, 10) : DECODE_CTX;
    if (argc < 2 || argc > 3 || most < 1) {
        fprintf(stderr, "usage: %s model.safetensors [MOST_NEW_IDS] <prompts, one a line, as token ids\n", argv[0]);
        return 2;
    }
    const char *why = decode_load(argv[1]);
    if (why) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    while (fgets(line, sizeof line, stdin)) {
        int count = 0;
        char *at = line, *end;
        for (long id; id = strtol(at, &end, 10), end != at; at = end)
            if (count < DECODE_CTX) prompt[count++] = id < 0 || id >= DECODE_VOCAB ? -1 : (int32_t)id;
        if (*(at + strspn(at, " \t\r\n"))) count = 0; /* something that is no number, or a line that is too long */
        const int made = decode_generate(prompt, count, most < DECODE_CTX ? (int)most : DECODE_CTX, out, &why);
        if (made < 0) {
            fprintf(stderr, "%s\n", why);
            return 1;
        }
        for (int i = 0; i < made; i++) printf(i ? " %d" : "%d", (int)out[i]);
        printf("\n");
    }
    return 0;
}
#endif
