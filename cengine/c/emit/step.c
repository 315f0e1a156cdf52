/* One training step of one language model, in one file: C11, libc and libm; no allocation, no threads.

   ${title}
   Written by cktrack; the kernels are the portable ones of engine ${engine},
   and give its bits where expf, logf, pow, cos and sin are those of the same libm.

   Forward, backward, clipping by the global norm and AdamW over a window of batches [STEP_ROWS, STEP_TIME]:
     step_load("model.safetensors", NULL, 0);
     step_run(&batch, 1, 3e-4, &result);
     step_save("trained.safetensors", NULL);
   As a part of another program: #include it, or compile it and repeat the declarations below in a header:
     cc -O2 -std=c11 -ffp-contract=off -c step.c
   With -DCK_MAIN (and -lm) it is a program that reads one row of token ids a line and takes a step for every STEP_ROWS of them:
     ./step model.safetensors 3e-4 trained.safetensors <rows
   Everything lies in one static arena of ${bytes} bytes. */

${includes}

enum {
    STEP_ROWS = ${rows}, /* rows of a batch */
    STEP_TIME = ${time}, /* tokens of a row */
    STEP_VOCAB = ${vocab},
};

/* AdamW (decay spares norms and embeddings) and clipping; a largest norm of 0 switches clipping off. */
static const double step_beta1 = ${beta1}, step_beta2 = ${beta2}, step_eps = ${eps};
static const double step_weight_decay = ${weight_decay}, step_max_norm = ${max_norm};

/* int32 [STEP_ROWS][STEP_TIME] each. A negative target carries no loss; pos is 0 where a packed row begins and counts up by one. */
typedef struct {
    const int32_t *ids, *targets, *pos;
} step_batch;

typedef struct {
    int64_t step;           /* optimizer steps taken so far */
    double loss, grad_norm; /* nats per valid target of the window; the gradient's norm before clipping */
    int64_t valid;          /* targets that carry loss */
} step_result;

/* Weights from a Hugging Face model.safetensors (float32) and the moments from optimizer.safetensors, or NULL: zero; `updates` steps
   were taken before. This and the two below return NULL, or a sentence that says what is wrong. */
const char *step_load(const char *model, const char *optimizer, int64_t updates);
/* One optimizer step over a window of `batches` batches at learning rate lr. If it is refused, or the gradient is not finite, the weights
   stay as they are. */
const char *step_run(const step_batch *window, int batches, double lr, step_result *result);
const char *step_save(const char *model, const char *optimizer);
/* A parameter by its Hugging Face name, to be read, or filled and then step_prepare called. NULL if there is none. */
float *step_parameter(const char *name, int64_t *count);
void step_prepare(void);

${kernels}

${memory}

${programs}

${tables}

${weights}

static const char *write_tensors(const char *path, const tensor *list, int count) {
    FILE *file = fopen(path, "wb");
    long long at = 0;
    int length = 0;
    unsigned char size[8];
    if (!file) return complain(path, "cannot be written", "");
    for (int i = 0; i < count; i++) {
        const long long end = at + (long long)sizeof(float) * list[i].count;
        length += snprintf(header + length, (size_t)(HEADER_ROOM - length), "%s\"%s\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[%lld,%lld]}",
                           i ? "," : "{", list[i].name, list[i].shape, at, end);
        at = end;
    }
    header[length++] = '}';
    while (length % 8) header[length++] = ' ';
    for (int i = 0; i < 8; i++) size[i] = (unsigned char)((uint64_t)length >> 8 * i);
    int written = fwrite(size, 1, 8, file) == 8 && fwrite(header, 1, (size_t)length, file) == (size_t)length;
    for (int i = 0; i < count && written; i++)
        written = fwrite(list[i].at, sizeof(float), (size_t)list[i].count, file) == (size_t)list[i].count;
    if (fclose(file) || !written) return complain(path, "could not be written to its end", "");
    return NULL;
}

${interface}

static int64_t updates_taken;

void step_prepare(void) {
    fill_tables();
    prepare();
}

const char *step_load(const char *model, const char *optimizer, int64_t updates) {
    const char *wrong = read_tensors(model, parameters, PARAMETERS);
    for (int i = 0; i < MOMENTS; i++) memset(moments[i].at, 0, sizeof(float) * (size_t)moments[i].count);
    if (!wrong && optimizer) wrong = read_tensors(optimizer, moments, MOMENTS);
    if (wrong) return wrong;
    updates_taken = updates;
    step_prepare();
    return NULL;
}

const char *step_save(const char *model, const char *optimizer) {
    const char *wrong = write_tensors(model, parameters, PARAMETERS);
    return wrong || !optimizer ? wrong : write_tensors(optimizer, moments, MOMENTS);
}

float *step_parameter(const char *name, int64_t *count) { return find_tensor(name, count); }

static const char *check(const step_batch *batch, int64_t *valid) {
    for (int64_t i = 0; i < STEP_ROWS * STEP_TIME; i++) {
        if (batch->ids[i] < 0 || batch->ids[i] >= STEP_VOCAB || batch->targets[i] >= STEP_VOCAB)
            return "batch: expected ids of 0 to STEP_VOCAB - 1, and targets below STEP_VOCAB";
        if (batch->pos[i] && (i % STEP_TIME == 0 || batch->pos[i] != batch->pos[i - 1] + 1))
            return "batch: pos must restart at 0 with each packed row and count up by one";
        *valid += batch->targets[i] >= 0;
    }
    return NULL;
}

/* The sum of n numbers in double, pairwise in the order of NumPy, whose bits the engine reports. */
static double sum_of(const float *a, int64_t n) {
    if (n > 128) {
        const int64_t half = n / 2 - n / 2 % 8;
        return sum_of(a, half) + sum_of(a + half, n - half);
    }
    const int64_t whole = n / 8 * 8;
    double lane[8] = {0}, sum;
    for (int64_t i = 0; i < whole; i += 8)
        for (int j = 0; j < 8; j++) lane[j] += (double)a[i + j];
    sum = ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
    for (int64_t i = whole; i < n; i++) sum += (double)a[i];
    return sum;
}

const char *step_run(const step_batch *window, int batches, double lr, step_result *result) {
    const char *wrong = NULL;
    int64_t valid = 0;
    double total = 0.0;
    for (int i = 0; i < batches && !wrong; i++) wrong = check(window + i, &valid);
    if (wrong) return wrong;
    if (!valid) return "window: no batch has a valid target, so there is no loss";
    loss_scale[0] = (float)(1.0 / (double)valid);
    clear();
    for (int i = 0; i < batches; i++) {
        memcpy(ids, window[i].ids, sizeof(int32_t) * STEP_ROWS * STEP_TIME);
        memcpy(targets, window[i].targets, sizeof(int32_t) * STEP_ROWS * STEP_TIME);
        memcpy(pos, window[i].pos, sizeof(int32_t) * STEP_ROWS * STEP_TIME);
        forward_and_backward();
        for (int64_t row = 0; row < STEP_ROWS; row++) total += sum_of(loss + row * STEP_TIME, STEP_TIME);
    }
    norm_total[0] = 0.0;
    norm();
    result->step = updates_taken, result->valid = valid;
    result->loss = total / (double)valid, result->grad_norm = sqrt(norm_total[0]);
    if (!isfinite(result->loss) || !isfinite(result->grad_norm)) return "training diverged: the loss or the gradient is not finite";
    const double t = (double)(updates_taken + 1);
    const double values[8] = {lr, step_beta1, step_beta2, step_eps, step_weight_decay, 1.0 / (1.0 - pow(step_beta1, t)),
                              1.0 / (1.0 - pow(step_beta2, t)), step_max_norm};
    for (int i = 0; i < 8; i++) hyper[i] = (float)values[i];
    update();
    prepare();
    result->step = ++updates_taken;
    return NULL;
}

#ifdef CK_MAIN
enum { STEP_TOKENS = STEP_ROWS * STEP_TIME };
static int32_t row_ids[STEP_TOKENS], row_targets[STEP_TOKENS], row_pos[STEP_TOKENS];

/* A line of ids: each predicts the next. What is left of the row is padding. Returns 0 if the line is no row. */
static int set_row(char *at, int32_t *id, int32_t *target, int32_t *position) {
    char *end;
    int count = 0;
    for (int i = 0; i < STEP_TIME; i++) id[i] = 0, target[i] = -1, position[i] = i;
    for (long value; value = strtol(at, &end, 10), end != at; at = end, count++) {
        if (value < 0 || value >= STEP_VOCAB || count > STEP_TIME) return 0;
        if (count < STEP_TIME) id[count] = (int32_t)value;
        if (count) target[count - 1] = (int32_t)value;
    }
    return count > 1 && !*(at + strspn(at, " \t\r\n"));
}

int main(int argc, char **argv) {
    static char line[(STEP_TIME + 1) * 12];
    if (argc != 4) {
        fprintf(stderr, "usage: %s model.safetensors LEARNING_RATE OUT <rows of token ids, one a line\n", argv[0]);
        return 2;
    }
    const char *wrong = step_load(argv[1], NULL, 0);
    const step_batch batch = {row_ids, row_targets, row_pos};
    for (int row = 0; !wrong && fgets(line, sizeof line, stdin);) {
        const int at = row * STEP_TIME;
        step_result result;
        if (!set_row(line, row_ids + at, row_targets + at, row_pos + at)) wrong = "expected 2 to STEP_TIME + 1 token ids a line";
        if (wrong || ++row < STEP_ROWS) continue;
        row = 0, wrong = step_run(&batch, 1, strtod(argv[2], NULL), &result);
        if (!wrong) printf("step %lld  loss %.6f  norm %.6f\n", (long long)result.step, result.loss, result.grad_norm);
    }
    if (!wrong) wrong = step_save(argv[3], NULL);
    if (wrong) fprintf(stderr, "%s\n", wrong);
    return wrong != NULL;
}
#endif
