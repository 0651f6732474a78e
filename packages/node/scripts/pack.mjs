// Packs the two packages of this platform into a directory: `node scripts/pack.mjs BINARY DIRECTORY`.
// npm packs what lies in a folder, and the program is built elsewhere; so a copy of the folder is packed.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const [binary, out] = process.argv.slice(2)
if (!binary || !out) {
  console.error('usage: node scripts/pack.mjs BINARY DIRECTORY')
  process.exit(2)
}
const root = path.dirname(import.meta.dirname)
const platform = `${process.platform}-${process.arch}`
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'klamm-pack-'))
process.on('exit', () => fs.rmSync(scratch, { recursive: true, force: true }))

const folder = path.join(scratch, platform)
fs.cpSync(path.join(root, 'platforms', platform), folder, { recursive: true })
fs.copyFileSync(path.join(root, 'LICENSE'), path.join(folder, 'LICENSE'))
fs.mkdirSync(path.join(folder, 'bin'))
fs.copyFileSync(binary, path.join(folder, 'bin', 'klamm'))
fs.chmodSync(path.join(folder, 'bin', 'klamm'), 0o755)

fs.mkdirSync(out, { recursive: true })
for (const one of [folder, root]) {
  const name = execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', path.resolve(out)], {
    cwd: one,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  console.log(path.join(out, name.trim()))
}
