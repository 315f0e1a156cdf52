// Six contents drawn by cktrack, @antv/infographic and @terrastruct/d2, timed in turn, and shown side by side on one page.
//
//     npm install && node draw.mjs [FOLDER] [--rounds N]        (in this folder; FOLDER is ./out where none is named)
//
// It writes the pictures as SVG and `index.html`, and prints a table of milliseconds from content to SVG text. It needs Node 20, a Chromium
// (CHROMIUM, or one on the path) and the project's Python (PYTHON, or `.venv` of the project, or python3). Every picture is drawn once before
// the clock runs: the start of a browser, of Node or of Python does not count. What could not be drawn is `null`, and the exit code 1.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, "../..");
const CASES = { // what the table calls it: family and case
  timeline: ["timeline", "http_versions"],
  comparison: ["dual_panel_compare", "tcp_udp"],
  flow: ["flow_graph", "cached_read"],
  tree: ["decision_tree", "failure_triage"],
  cards: ["dashboard_cards", "service_health"],
  table: ["table_matrix", "isolation_levels"],
};
const TIMES = { ours: 10, infographic: 5, d2: 2 }; // pictures in one turn: quicker ones more often
const PATIENCE = 120_000; // ms for one turn

// One line in: family, case, how often. One line out: the picture, and milliseconds without and with what earlier pictures left in memory. The
// compiler keeps broken lines and arranged graphs: a picture drawn again is half remembered, which no other content is. Colours are kept.
const PYTHON = `
import functools, gc, json, sys, time
from experiments import case
from experiments.style import Style
from experiments.sweep import Shot, counts_of

LOOKS = ("board", "colour", "legend", "sheet")  # what they keep is of a style, not of a content

def milliseconds(shot):
    begun = time.perf_counter()
    shot.compile()
    return (time.perf_counter() - begun) * 1000

for line in sys.stdin:
    family, name, times = json.loads(line)
    try:
        one = case.load(family, name)
        shot = Shot(one, Style(), counts_of(one)[-1])  # everything that the content holds
        svg = shot.compile().svg
        kept = [o for o in gc.get_objects() if isinstance(o, functools._lru_cache_wrapper)]
        kept = [o for o in kept if o.__module__.startswith("experiments.compiler.") and o.__module__.split(".")[-1] not in LOOKS]
        told = {"svg": svg, "ms": [], "more": []}
        for _ in range(times):
            [cache.cache_clear() for cache in kept]
            told["ms"].append(milliseconds(shot))
            told["more"].append(milliseconds(shot))
    except Exception as error:
        told = {"why": f"{type(error).__name__}: {error}"}
    print(json.dumps(told), flush=True)
`;

// The page asks for a text, draws it as often as it is told, and sends the picture and the times back.
const PAGE = `<!doctype html><meta charset="utf-8"><div id="box" style="width: 1200px"></div><script src="/library.js"></script><script>
const box = document.getElementById("box");
async function draw(text) {
  const drawing = new AntVInfographic.Infographic({ container: "#box" }), wrong = [];
  drawing.on("error", (error) => wrong.push(error.message ?? JSON.stringify(error)));
  drawing.render(text);
  await null; // its observer fits the picture to what was drawn
  const svg = box.querySelector("svg");
  if (wrong.length || !svg) throw new Error(wrong.join("; ") || "nothing was drawn");
  return [drawing, new XMLSerializer().serializeToString(svg)];
}
(async () => {
  for (let first = true; ; first = false) {
    const { text, times } = await (await fetch("/next")).json();
    let told;
    try {
      await draw(text);
      if (first) await new Promise((done) => setTimeout(done, 2000)); // for its web font, where there is a way to it
      await document.fonts.ready;
      const address = await (await draw(text))[0].toDataURL({ type: "svg" }), ms = [];
      for (let n = 0; n < times; n++) {
        const begun = performance.now();
        await draw(text);
        ms.push(performance.now() - begun);
      }
      told = { svg: decodeURIComponent(address.slice(address.indexOf(",") + 1)), ms };
    } catch (error) { told = { why: String(error) }; }
    await fetch("/done", { method: "POST", body: JSON.stringify(told) });
  }
})();
</script>`;

const closing = []; // what is to be ended when all is done
const found = (...names) => names.flatMap((name) => process.env.PATH.split(delimiter).map((folder) => join(folder, name))).find(existsSync);
const written = (name, kind) => readFileSync(join(HERE, `${name}.${kind}`), "utf8");

function started(path, words, options) {
  const child = spawn(path, words, { detached: true, ...options });
  closing.push(() => { try { process.kill(-child.pid); } catch { /* it has ended by itself */ } });
  return child;
}

function openOurs() {
  const own = join(ROOT, ".venv/bin/python");
  const path = process.env.PYTHON ?? (existsSync(own) ? own : "python3");
  const child = started(path, ["-c", PYTHON], { cwd: ROOT, env: { ...process.env, PYTHONPATH: ROOT }, stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = new Promise((_, no) => child.on("error", no));
  ended.catch(() => {});
  child.stdin.on("error", () => {}); // told by the end of its answers
  return async (family, name, times) => {
    child.stdin.write(JSON.stringify([family, name, times]) + "\n");
    const { value, done } = await Promise.race([lines.next(), ended]);
    return done ? { why: `${path} has ended` } : JSON.parse(value);
  };
}

async function openInfographic() {
  const path = process.env.CHROMIUM ?? found("chromium", "chromium-browser", "google-chrome", "google-chrome-stable");
  if (!path) throw new Error("no Chromium was found; name one in CHROMIUM");
  const library = readFileSync(join(HERE, "node_modules/@antv/infographic/dist/infographic.min.js"));
  let asked, asking = new Promise((yes) => { asked = yes; }), told;
  const server = createServer(async (request, answer) => {
    if (request.url === "/next") return asked(answer);
    if (request.url === "/done") told(await new Response(request).json());
    answer.end({ "/": PAGE, "/library.js": library }[request.url] ?? "");
  });
  await new Promise((yes) => server.listen(0, "127.0.0.1", yes));
  const profile = mkdtempSync(join(tmpdir(), "peers-"));
  closing.push(() => { server.close(); server.closeAllConnections(); });
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", `--user-data-dir=${profile}`];
  const child = started(path, [...flags, `http://127.0.0.1:${server.address().port}/`], { stdio: "ignore" });
  const gone = new Promise((yes) => child.on("close", yes).on("error", yes));
  closing.push(() => gone.then(() => rmSync(profile, { recursive: true, force: true, maxRetries: 5 })));
  return async (family, name, times) => {
    const page = await Promise.race([asking, gone.then(() => { throw new Error(`${path} has ended`); })]);
    asking = new Promise((yes) => { asked = yes; });
    const drawn = new Promise((yes) => { told = yes; });
    const text = written(name, "infographic").replace(/^#.*\n/gm, ""); // its syntax has no comments
    page.end(JSON.stringify({ text, times }));
    return drawn;
  };
}

async function openD2() {
  const { D2 } = await import("@terrastruct/d2");
  const d2 = new D2();
  closing.push(() => d2.worker?.terminate());
  const draw = async (text) => d2.compile(text).then(({ diagram, renderOptions }) => d2.render(diagram, renderOptions));
  return async (family, name, times) => {
    const text = written(name, "d2"), svg = await draw(text), ms = [], more = [];
    for (let n = 0; n < times; n++) {
      const begun = performance.now(), used = process.cpuUsage();
      await draw(text);
      ms.push(performance.now() - begun);
      more.push(Object.values(process.cpuUsage(used)).reduce((a, b) => a + b) / 1000);
    }
    return { svg, ms, more };
  };
}

const HEAD = `<!doctype html><meta charset="utf-8"><title>Beside two others</title><style>body { font: 14px sans-serif; margin: 16px }
table { width: 100%; border-spacing: 12px } td { width: 32%; vertical-align: top }
img { width: 100%; max-height: 900px; object-fit: contain; object-position: top }
</style><table><tr><th><th>ours<th>@antv/infographic<th>@terrastruct/d2`;

const median = (all, sorted = [...all].sort((a, b) => a - b), n = sorted.length) => (sorted[(n - 1) >> 1] + sorted[n >> 1]) / 2;

function tell(out, rounds, results) {
  const page = [HEAD], whys = [], figure = (value) => value === null ? "null" : value < 100 ? value.toPrecision(3) : value.toFixed(0);
  console.log("| content | ours | ours again | `@antv/infographic` | times as long | `@terrastruct/d2` | times as long | its processor |");
  console.log("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
  for (const [label, row] of Object.entries(results)) {
    const time = (peer, which = "ms") => row[peer].why ? null : median(row[peer][which]);
    const ratio = (peer) => row[peer].why || row.ours.why ? "null" : Number((time(peer) / time("ours")).toPrecision(2));
    const cells = [figure(time("ours")), figure(time("ours", "more")), figure(time("infographic")), ratio("infographic")];
    console.log(`| ${[label, ...cells, figure(time("d2")), ratio("d2"), figure(time("d2", "more"))].join(" | ")} |`);
    page.push(`<tr><th>${label}`);
    for (const [peer, { why, svg }] of Object.entries(row)) {
      const file = `${CASES[label][1]}.${peer}.svg`;
      page.push(why ? `<td>null` : `<td><a href="${file}"><img src="${file}"></a>`);
      if (why) whys.push(`${label}, ${peer}: null, since ${why}`), rmSync(join(out, file), { force: true });
      else writeFileSync(join(out, file), svg);
    }
  }
  writeFileSync(join(out, "index.html"), page.join("\n") + "\n</table>\n");
  const counts = Object.entries(TIMES).map(([peer, times]) => `${times * rounds} of ${peer}`).join(", ");
  process.exitCode = whys.length ? 1 : 0;
  console.log([`\nMedians of ${counts}. Rounds: ${rounds}`, ...whys, join(out, "index.html")].join("\n"));
}

async function main() {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { rounds: { type: "string", default: "3" } } });
  const rounds = Number(values.rounds), out = resolve(positionals[0] ?? join(HERE, "out"));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds: got ${values.rounds}; expected a whole number from 1`);
  mkdirSync(out, { recursive: true });
  const peers = {}, results = {};
  for (const [peer, open] of Object.entries({ ours: openOurs, infographic: openInfographic, d2: openD2 })) {
    peers[peer] = await Promise.resolve().then(open).catch((error) => () => ({ why: error.message }));
  }
  for (let round = 0; round <= rounds; round++) {
    for (const [label, [family, name]] of Object.entries(CASES)) {
      const row = (results[label] ??= {});
      for (const [peer, draw] of Object.entries(peers)) {
        const it = (row[peer] ??= { ms: [], more: [] });
        if (it.why) continue;
        const patience = new Promise((yes) => setTimeout(yes, PATIENCE, { why: `no answer in ${PATIENCE / 1000} s` }).unref());
        const turn = await Promise.race([draw(family, name, round ? TIMES[peer] : 1), patience]).catch((error) => ({ why: error.message }));
        if (turn.why) it.why = turn.why;
        else if (round === 0) it.svg = turn.svg;
        else it.ms.push(...turn.ms), it.more.push(...(turn.more ?? []));
      }
    }
  }
  tell(out, rounds, results);
}

await main().catch((error) => { console.error(error.message); process.exitCode = 2; });
await Promise.all(closing.map((end) => end()));
