// The broker's HTTP side: faults, clock, requests, waits, fixtures, deeds, resets.
import { AssertionError } from 'node:assert'
import http from 'node:http'
import { KlammError, WaitTimeout } from './errors.js'

/** Longer than the broker itself lets a call take: a move of the clock has 30 seconds. */
const PATIENCE_MS = 60_000
/** How many records the broker shows at most. */
const MOST_RECORDS = 1000

/** Calls of the HTTP side, each on a connection of its own, which keeps no event loop alive when it is answered. */
export class Control {
  #address

  constructor(address) {
    this.#address = address
  }

  /** The status and the text of an answer, whatever it says. A body that is a text or bytes goes as it is, another as JSON. */
  text(method, path, body, timeout = PATIENCE_MS) {
    return new Promise((resolve, reject) => {
      const fail = (error) => reject(silent(method, path, error))
      const headers = body === undefined ? {} : { 'content-type': 'application/json' }
      const request = http.request(new URL(path, this.#address), { method, headers, agent: false, timeout }, (response) => {
        const parts = []
        response.on('data', (part) => parts.push(part))
        response.on('error', fail)
        response.on('end', () => resolve({ status: response.statusCode, text: Buffer.concat(parts).toString() }))
      })
      request.on('timeout', () => request.destroy(new Error(`nothing for ${timeout} ms`)))
      request.on('error', fail)
      request.end(body === undefined || typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body))
    })
  }

  /** The same for an answer that is JSON. */
  async call(method, path, body, timeout) {
    const { status, text } = await this.text(method, path, body, timeout)
    try {
      return { status, answer: JSON.parse(text) }
    } catch (error) {
      throw silent(method, path, error)
    }
  }

  /** The body of an answer that agrees; else a KlammError with the broker's sentence. */
  async ask(method, path, body) {
    return agreed(await this.call(method, path, body))
  }

  /** The same for an answer that is a text. */
  async askText(path) {
    const { status, text } = await this.text('GET', path)
    if (status === 200) return text
    let answer
    try {
      answer = JSON.parse(text)
    } catch {
      answer = { error: `GET ${path}: status ${status}: ${text}` }
    }
    return agreed({ status, answer })
  }
}

function silent(method, path, error) {
  return new KlammError(`${method} ${path}: the broker does not answer: ${error.message}`, { cause: error })
}

export function agreed({ status, answer }) {
  if (status !== 200) throw new KlammError(answer.error ?? JSON.stringify(answer))
  return answer
}

/** The clock that the broker goes by. */
export class Clock {
  #control

  constructor(control) {
    this.#control = control
  }

  async now() {
    return time(await this.#control.ask('GET', '/v1/clock'))
  }

  async frozen() {
    return (await this.#control.ask('GET', '/v1/clock')).frozen
  }

  async freeze() {
    return time(await this.#control.ask('POST', '/v1/clock', { frozen: true }))
  }

  async resume() {
    return time(await this.#control.ask('POST', '/v1/clock', { frozen: false }))
  }

  async advance(milliseconds) {
    return time(await this.#control.ask('POST', '/v1/clock', { advance_ms: milliseconds }))
  }

  async set(moment) {
    return time(await this.#control.ask('POST', '/v1/clock', { wall_ms: Number(moment) }))
  }
}

function time(answer) {
  return new Date(answer.wall_ms)
}

/** A rule by which the broker breaks. */
export class Fault {
  #control

  constructor(control, id) {
    this.#control = control
    this.id = id
  }

  async matched() {
    return (await this.#look()).matched
  }

  async struck() {
    return (await this.#look()).struck
  }

  async over() {
    return (await this.#look()).over
  }

  async release() {
    await this.#control.ask('POST', `/v1/faults/release?id=${this.id}`)
  }

  async remove() {
    const found = await this.#control.call('DELETE', `/v1/faults?id=${this.id}`)
    if (found.status !== 404) agreed(found)
  }

  async #look() {
    const { faults } = await this.#control.ask('GET', '/v1/faults')
    const rule = faults.find((one) => one.id === this.id)
    if (!rule) throw new KlammError(`the fault ${this.id} was removed`)
    return rule
  }
}

/** What a test does with a broker beside the protocol; Klamm adds the process. */
export class Controlled {
  #control

  constructor(address) {
    this.#control = new Control(address)
    this.clock = new Clock(this.#control)
  }

  async fault(match, action, count, { expiresMs } = {}) {
    const rule = { match: snake(match), action: snake(action), count, expires_ms: expiresMs }
    const { ids } = await this.#control.ask('POST', '/v1/faults', rule)
    return new Fault(this.#control, ids[0])
  }

  async removeFaults() {
    return (await this.#control.ask('DELETE', '/v1/faults')).removed
  }

  async faults() {
    return (await this.#control.ask('GET', '/v1/faults')).faults
  }

  async requests(filter = {}) {
    const { requests } = await this.#control.ask('GET', `/v1/requests?${query(snake(filter))}`)
    return requests.map(request)
  }

  async assertRequests({ atLeast, atMost, ...filter }) {
    const match = snake(filter)
    // The broker takes moments as numbers.
    if (match.since !== undefined) match.since = Number(match.since)
    const found = await this.#control.call('POST', '/v1/requests/assert', { match, at_least: atLeast, at_most: atMost })
    if (found.status === 409) {
      const some = found.answer.requests.map((one) => `\n  ${line(request(one))}`)
      throw new AssertionError({ message: found.answer.error + some.join(''), stackStartFn: this.assertRequests })
    }
    agreed(found)
  }

  async waitFor({ timeoutMs = 10_000, ...what }) {
    const path = `/v1/wait?${query({ ...snake(what), timeout_ms: timeoutMs })}`
    const found = await this.#control.call('GET', path, undefined, timeoutMs + PATIENCE_MS)
    if (found.status === 408) throw new WaitTimeout(found.answer.error)
    agreed(found)
  }

  async reset({ snapshot } = {}) {
    await this.#control.ask('POST', '/v1/reset', { snapshot })
  }

  async snapshot(name) {
    await this.#control.ask('POST', '/v1/snapshots', { name })
  }

  async snapshots() {
    return (await this.#control.ask('GET', '/v1/snapshots')).snapshots
  }

  async forgetSnapshot(name) {
    await this.#control.ask('DELETE', `/v1/snapshots?${query({ name })}`)
  }

  async loadFixtures(lines) {
    const isText = typeof lines === 'string' || lines instanceof Uint8Array
    const text = isText ? lines : Array.from(lines, (line) => `${JSON.stringify(line)}\n`).join('')
    const { topics, records } = await this.#control.ask('POST', '/v1/fixtures', text)
    return { topics, records }
  }

  async dumpFixtures(topic) {
    return this.#control.askText(`/v1/fixtures?${query({ topic })}`)
  }

  async expireMembers(group, member) {
    await this.#deed('expire_member', { group, member })
  }

  async forceRebalance(group) {
    await this.#deed('rebalance', { group })
  }

  async fenceProducer(transactionalId) {
    await this.#deed('fence_producer', { transactional_id: transactionalId })
  }

  async compact(topic) {
    await this.#deed('compact', { topic })
  }

  async applyRetention(topic) {
    await this.#deed('retain', { topic })
  }

  async moveLeader(topic, partition, to) {
    await this.#deed('move_leader', { topic, partition, to })
  }

  async moveCoordinator({ group, transactionalId }, to) {
    await this.#deed('move_coordinator', { group, transactional_id: transactionalId, to })
  }

  async takeBrokerDown(broker) {
    await this.#deed('broker_down', { broker })
  }

  async bringBrokerUp(broker) {
    await this.#deed('broker_up', { broker })
  }

  async setFollower(topic, partition, broker, { start, end } = {}) {
    await this.#deed('follower', { topic, partition, broker, start, end })
  }

  async setRack(broker, rack) {
    await this.#deed('rack', { broker, rack })
  }

  async hideBroker(broker, hidden = true) {
    await this.#deed('hide', { broker, hidden })
  }

  async tellLeader(topic, partition, { leader, epoch } = {}) {
    await this.#deed('told_leader', { topic, partition, leader, epoch })
  }

  async setAddress(broker, { host, port } = {}) {
    await this.#deed('address', { broker, host, port })
  }

  async setDisk({ full, syncMs, syncsFail }) {
    await this.#deed('disk', { full, sync_ms: syncMs, syncs_fail: syncsFail })
  }

  async corruptBatch(topic, partition, offset) {
    return (await this.#deed('corrupt', { topic, partition, offset })).base_offset
  }

  #deed(name, of) {
    return this.#control.ask('POST', '/v1/deeds', { [name]: of })
  }

  async brokerStates() {
    return (await this.#control.ask('GET', '/v1/brokers')).brokers.map(camel)
  }

  async topics(topic) {
    return (await this.#control.ask('GET', `/v1/topics?${query({ topic })}`)).topics.map(camel)
  }

  async records(topic, partition = 0, { limit = MOST_RECORDS, before, json } = {}) {
    const records = []
    // A page has fewer where they are large, or where a compacted log has few among its offsets.
    for (let next = before; next !== null && records.length < limit; ) {
      const words = { topic, partition, limit: limit - records.length, before: next, json }
      const page = await this.#control.ask('GET', `/v1/records?${query(words)}`)
      records.push(...page.records)
      next = page.next
    }
    // The broker shows the newest first, and of markers neither keys, values nor headers.
    return records.reverse().map((one) => ({ key: null, value: null, headers: [], ...one, timestamp: new Date(one.timestamp) }))
  }

  async groups(group) {
    return (await this.#control.ask('GET', `/v1/groups?${query({ group })}`)).groups.map(camel)
  }

  async metrics() {
    return this.#control.askText('/metrics')
  }
}

function request(raw) {
  const { id, at, api, version, client_id: clientId, software, principal, connection, errors } = raw
  const name = [software?.name, software?.version].filter(Boolean).join(' ')
  return {
    id,
    at: new Date(at),
    api,
    version,
    clientId: clientId ?? null,
    software: name,
    principal,
    connection,
    errors: errors ?? {},
    request: raw.request,
    answer: raw.answer,
    raw,
  }
}

function line({ at, api, version, clientId, errors }) {
  return [at.toISOString().slice(11, 23), api, `v${version}`, clientId ?? '-', Object.keys(errors).join(', ')].join(' ').trim()
}

/** The names of the broker's API for those of JavaScript: `clientId` is `client_id`. What is undefined is left out. */
function snake(words) {
  const known = Object.entries(words).filter(([, value]) => value !== undefined)
  return Object.fromEntries(known.map(([name, value]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]))
}

/** The names of JavaScript for those of the broker's API, and so within; the names of topics' configs are Kafka's and stay. */
function camel(value) {
  if (Array.isArray(value)) return value.map(camel)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()),
      name === 'configs' ? one : camel(one),
    ]),
  )
}

function query(words) {
  const known = Object.entries(words).filter(([, value]) => value !== undefined)
  return new URLSearchParams(known.map(([name, value]) => [name, String(value instanceof Date ? Number(value) : value)])).toString()
}
