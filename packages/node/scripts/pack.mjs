// Packs the package, and the one of a platform with the program in it: `node scripts/pack.mjs BINARY DIRECTORY`. For which
// platform that is, the program's own header says; the name, `cpu` and `libc` of the package follow from it.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { builtFor } from '../src/elf.js'

const [binary, out] = process.argv.slice(2)
if (!binary || !out) fail('usage: node scripts/pack.mjs BINARY DIRECTORY')
const root = fileURLToPath(new URL('..', import.meta.url))
const { version, author, license, publishConfig, optionalDependencies } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'))
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'klamm-pack-'))
process.on('exit', () => fs.rmSync(scratch, { recursive: true, force: true }))

fs.mkdirSync(out, { recursive: true })
for (const folder of [platform(), root]) {
  const name = execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', path.resolve(out)], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  console.log(path.join(out, name.trim()))
}

/** The folder of the platform's package, made for this program. */
function platform() {
  const { arch, loader } = builtFor(binary)
  const name = `@klamm/linux-${arch}`
  if (!arch) fail(`${binary} is no program of Linux`)
  if (!optionalDependencies[name]) fail(`${binary} was built for ${arch}: package.json names no ${name}`)
  // One that is linked with musl and not static would need a package of its own, beside the one for glibc.
  if (loader?.includes('musl')) fail(`${binary} needs musl's loader ${loader}: pack a static one, or one for glibc`)
  const runs = loader ? 'with glibc' : 'whatever its C library'
  const described = {
    name,
    version,
    description: `The program of the package klamm, for Linux on ${arch} ${runs}`,
    author,
    license,
    // A package with a scope is private where this is not said, and the one that needs it could not be installed.
    publishConfig,
    os: ['linux'],
    cpu: [arch],
    ...(loader && { libc: ['glibc'] }),
    files: ['bin'],
    preferUnplugged: true,
  }
  const folder = path.join(scratch, 'platform')
  fs.mkdirSync(path.join(folder, 'bin'), { recursive: true })
  fs.writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(described, null, 2)}\n`)
  fs.writeFileSync(path.join(folder, 'README.md'), `# ${name}\n\n${described.description}. Install \`klamm\`; it brings this.\n`)
  fs.copyFileSync(path.join(root, 'LICENSE'), path.join(folder, 'LICENSE'))
  fs.copyFileSync(binary, path.join(folder, 'bin', 'klamm'))
  fs.chmodSync(path.join(folder, 'bin', 'klamm'), 0o755)
  return folder
}

function fail(sentence) {
  console.error(sentence)
  process.exit(2)
}
