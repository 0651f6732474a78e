// Each piece of JavaScript in README.md is run, as a module of its own with the imports of the first one.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const readme = path.join(path.dirname(createRequire(import.meta.url).resolve('klamm/package.json')), 'README.md')
const blocks = [...fs.readFileSync(readme, 'utf8').matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code)
const imports = blocks[0].match(/^import .*\n/gm).join('')

for (const [number, code] of blocks.entries()) {
  test(`piece ${number + 1}: ${code.match(/test\('(.*?)'/)?.[1] ?? 'without a test'}`, (t) => {
    // Where the packages are found that it imports.
    const folder = fs.mkdtempSync(path.join(here, 'readme-'))
    t.after(() => fs.rmSync(folder, { recursive: true }))
    const file = path.join(folder, 'piece.mjs')
    fs.writeFileSync(file, number === 0 ? code : imports + code)
    const { NODE_TEST_CONTEXT, ...env } = process.env
    const run = spawnSync(process.execPath, ['--test-reporter=tap', file], { env, encoding: 'utf8', timeout: 60_000 })
    assert.equal(run.status, 0, run.stdout + run.stderr)
    const tests = code.match(/^test\(/gm)?.length ?? 0
    if (tests > 0) assert.match(run.stdout, new RegExp(`^# pass ${tests}$`, 'm'), run.stdout)
  })
}
