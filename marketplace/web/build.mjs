// Builds the pages' scripts into marketplace/swath_marketplace/assets: ES modules, split, named by their content.
// The manifest says which file each entry became. Nothing is fetched here, and nothing at run time from elsewhere.
import { build } from "esbuild";
import { copyFile, mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "..", "swath_marketplace", "assets");
const fresh = `${target}.new`;

const entries = (await readdir(join(here, "src", "pages"))).filter((name) => name.endsWith(".js"));

await rm(fresh, { recursive: true, force: true });
await mkdir(fresh, { recursive: true });
const result = await build({
  absWorkingDir: here,
  entryPoints: entries.map((name) => join("src", "pages", name)),
  outdir: fresh,
  bundle: true,
  splitting: true,
  format: "esm",
  target: ["es2022"],
  minify: true,
  legalComments: "eof",
  metafile: true,
  entryNames: "[name]-[hash]",
  chunkNames: "part-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".geo": "file" },
  logLevel: "warning",
});

const manifest = { entries: {}, files: {} };
for (const [path, output] of Object.entries(result.metafile.outputs)) {
  const name = basename(path);
  const content = await readFile(join(fresh, name));
  manifest.files[name] = createHash("sha256").update(content).digest("hex");
  if (output.entryPoint?.startsWith("src/pages/")) manifest.entries[basename(output.entryPoint, ".js")] = name;
}
for (const [name, from] of Object.entries({
  countries: "world-atlas/countries-110m.json",
  "countries-fine": "world-atlas/countries-50m.json",
})) {
  const content = await readFile(join(here, "node_modules", from));
  const digest = createHash("sha256").update(content).digest("hex");
  const kept = `${name}-${digest.slice(0, 8).toUpperCase()}.json`;
  await copyFile(join(here, "node_modules", from), join(fresh, kept));
  manifest.files[kept] = digest;
  manifest.entries[name] = kept;
}
await writeFile(join(fresh, "manifest.json"), `${JSON.stringify(manifest, null, 1)}\n`);
await rm(target, { recursive: true, force: true });
await rename(fresh, target);
