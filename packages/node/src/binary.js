// Where the program is: what the caller names, KLAMM_BIN, the package of this platform, PATH.
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { builtFor } from './elf.js'
import { StartError } from './errors.js'

/** The program's path. One that is named must be there: the next place is not tried instead of it. */
export function find(explicit, environment = process.env, own = ofThisPlatform) {
  for (const [named, origin] of [[explicit, 'the option binary'], [environment.KLAMM_BIN, 'KLAMM_BIN']]) {
    if (!named) continue
    if (!runs(named)) throw new StartError(`${origin} names ${named}, which is no program that can be run`)
    return named
  }
  const packaged = own()
  if (packaged && runs(packaged)) return packaged
  for (const folder of (environment.PATH ?? '').split(path.delimiter)) {
    if (folder && runs(path.join(folder, 'klamm'))) return path.join(folder, 'klamm')
  }
  throw new StartError(
    `the program klamm is not found: install @klamm/${process.platform}-${process.arch}, which comes with this package where ` +
      'optional dependencies are installed, or name one by the option binary, by KLAMM_BIN or in PATH',
  )
}

/** What makes a program that is there end at once, as a part of a sentence: it was built for another machine or C library. */
export function whyNot(program) {
  const { arch, loader } = builtFor(program)
  if (arch && arch !== process.arch) return `; it was built for ${arch}, and this machine is ${process.arch}`
  if (loader && !fs.existsSync(loader)) {
    return `; it was built for another C library (musl or glibc): its loader ${loader} is not here`
  }
  return ''
}

/** The program of the optional dependency for this platform, where it is installed. */
function ofThisPlatform() {
  const name = `@klamm/${process.platform}-${process.arch}`
  try {
    return path.join(path.dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'bin', 'klamm')
  } catch {
    return undefined
  }
}

function runs(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return fs.statSync(file).isFile()
  } catch {
    return false
  }
}
