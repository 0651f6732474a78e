// kafkajs before a broker of each test: what README.md shows.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readFileSync } from 'node:fs'
import kafkajs from 'kafkajs'
import { Klamm, KlammError, WaitTimeout } from 'klamm'

const { Kafka, logLevel } = kafkajs
const HOUR = 3_600_000

/** A broker that ends with the test. */
async function started(t, options) {
  const klamm = await Klamm.start(options)
  t.after(() => klamm.close())
  return klamm
}

function kafka(klamm, settings = {}) {
  return new Kafka({ clientId: 'shop', brokers: klamm.brokers, logLevel: logLevel.NOTHING, retry: { initialRetryTime: 10 }, ...settings })
}

async function send(klamm, topic, values, { settings, ...options } = {}) {
  const producer = kafka(klamm, settings).producer({ allowAutoTopicCreation: true, ...options })
  await producer.connect()
  try {
    return await producer.send({ topic, messages: values.map((value) => ({ value })) })
  } finally {
    await producer.disconnect()
  }
}

/** Reads so many records as a member of a group, and commits them. */
async function read(klamm, topic, count, groupId = 'readers') {
  const consumer = kafka(klamm).consumer({ groupId })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const values = []
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
    consumer
      .run({
        eachMessage: async ({ message }) => {
          if (values.push(message.value.toString()) === count) resolve()
        },
      })
      .catch(reject)
  })
  await consumer.disconnect()
  return values
}

async function offsets(klamm, topic) {
  const admin = kafka(klamm).admin()
  await admin.connect()
  const [{ low, high }] = await admin.fetchTopicOffsets(topic)
  await admin.disconnect()
  return [Number(low), Number(high)]
}

test('produce and consume', async (t) => {
  const klamm = await started(t, { topics: ['orders'] })
  await send(klamm, 'orders', ['a', 'b', 'c'])
  assert.deepEqual(await read(klamm, 'orders', 3), ['a', 'b', 'c'])
  await klamm.waitFor({ group: 'readers', lag: 0 })
  await klamm.waitFor({ group: 'readers', members: 0 })
})

test('a refusal is retried', async (t) => {
  const klamm = await started(t, { topics: [{ name: 'orders', partitions: 1 }] })
  const fault = await klamm.fault({ api: 'Produce', topic: 'orders' }, { error: 'NOT_LEADER_OR_FOLLOWER' }, 2)
  await send(klamm, 'orders', ['a'])
  assert.equal(await fault.struck(), 2)
  assert.equal(await fault.over(), true)
  await klamm.assertRequests({ api: 'Produce', error: 'NOT_LEADER_OR_FOLLOWER', atLeast: 2, atMost: 2 })
  await klamm.assertRequests({ api: 'Produce', topic: 'orders', atLeast: 3, atMost: 3 })
})

test('a lost acknowledgement: a producer that is not idempotent writes twice', async (t) => {
  const klamm = await started(t, { topics: ['orders'] })
  const lost = await klamm.fault({ api: 'Produce' }, { close: true, after: true }, 1)
  await send(klamm, 'orders', ['a'])
  assert.equal(await lost.struck(), 1)
  assert.deepEqual(await offsets(klamm, 'orders'), [0, 2])
})

test('an error that is not retried', async (t) => {
  const klamm = await started(t, { topics: ['orders'] })
  await klamm.fault({ api: 'Produce' }, { error: 'MESSAGE_TOO_LARGE' })
  await assert.rejects(send(klamm, 'orders', ['a']), { type: 'MESSAGE_TOO_LARGE' })
  assert.equal(await klamm.removeFaults(), 1)
  await send(klamm, 'orders', ['a'])
})

test('a held request goes on', async (t) => {
  const klamm = await started(t, { topics: ['orders'] })
  const fault = await klamm.fault({ api: 'Produce', clientId: 'shop' }, { hold: true }, 1)
  let sent = false
  const sending = send(klamm, 'orders', ['a']).then(() => (sent = true))
  while ((await fault.struck()) === 0) assert.equal(sent, false)
  assert.equal(sent, false)
  await fault.release()
  await sending
  await fault.remove()
  await fault.remove()
  await assert.rejects(fault.matched(), /was removed/)
})

test('an hour passes', async (t) => {
  const klamm = await started(t, { topics: ['orders:1:retention.ms=60000'] })
  await klamm.clock.freeze()
  await send(klamm, 'orders', ['a', 'b'])
  const before = await klamm.clock.now()
  assert.deepEqual(await offsets(klamm, 'orders'), [0, 2])
  await klamm.clock.advance(HOUR)
  assert.equal((await klamm.clock.now()) - before, HOUR)
  assert.deepEqual(await offsets(klamm, 'orders'), [2, 2])
})

test('the clock is set', async (t) => {
  const klamm = await started(t)
  const later = new Date(Number(await klamm.clock.freeze()) + 60_000)
  assert.equal(await klamm.clock.frozen(), true)
  assert.deepEqual(await klamm.clock.set(later), later)
  await klamm.clock.resume()
  assert.equal(await klamm.clock.frozen(), false)
  await assert.rejects(klamm.clock.advance(10_000 * 24 * HOUR), KlammError)
})

test('what was sent', async (t) => {
  const klamm = await started(t, { topics: ['orders'] })
  await send(klamm, 'orders', ['a'])
  const [sent, ...others] = await klamm.requests({ api: 'Produce', topic: 'orders', clientId: 'shop', since: new Date(0), records: true })
  assert.deepEqual(others, [])
  assert.equal(sent.request.topicData[0].partitionData[0].records.batches[0].records[0].value, 'a')
  assert.equal(sent.answer.responses[0].partitionResponses[0].baseOffset, 0)
  assert.deepEqual(sent.errors, {})
  assert.deepEqual(await klamm.requests({ clientId: 'none' }), [])
})

test('an assertion fails with a sentence', async (t) => {
  const klamm = await started(t, { topics: ['orders'] })
  await send(klamm, 'orders', ['a'])
  await assert.rejects(klamm.assertRequests({ api: 'Produce', since: 0, atMost: 0 }), {
    name: 'AssertionError',
    message: /^1 requests? match.* 0 were expected\n  .* Produce v\d+ shop$/s,
  })
  await assert.rejects(klamm.assertRequests({ api: 'Produces', atMost: 0 }), /Produces/)
})

test('a wait ends with a sentence', async (t) => {
  const klamm = await started(t)
  const waited = klamm.waitFor({ topic: 'orders', records: 1, timeoutMs: 20 })
  await assert.rejects(waited, (error) => error instanceof WaitTimeout && /orders/.test(error.message))
})

test('a login over TLS', async (t) => {
  const klamm = await started(t, { topics: ['orders'], users: { alice: 'secret' }, tls: true })
  assert.equal(klamm.securityProtocol, 'SASL_SSL')
  assert.ok(klamm.saslMechanisms.includes('SCRAM-SHA-512'))
  const settings = {
    ssl: { ca: [readFileSync(klamm.tls.caPem, 'utf8')] },
    sasl: { mechanism: 'scram-sha-512', username: 'alice', password: 'secret' },
  }
  await send(klamm, 'orders', ['a'], { settings })
  await klamm.assertRequests({ api: 'Produce', principal: 'User:alice', atLeast: 1, atMost: 1 })
})

test('brokers side by side', async (t) => {
  const [old, strict] = await Promise.all([
    started(t, { asVersion: '2.8' }),
    started(t, { overrides: { 'auto.create.topics.enable': false } }),
  ])
  assert.notEqual(old.bootstrapServers, strict.bootstrapServers)
  await send(old, 'orders', ['a'])
  const settings = { retry: { retries: 1, initialRetryTime: 10 } }
  await assert.rejects(send(strict, 'orders', ['a'], { settings }), /does not host this topic/)
})

test('back to a snapshot and to the beginning', async (t) => {
  const klamm = await started(t, { topics: ['orders'] })
  await send(klamm, 'orders', ['a', 'b'])
  await klamm.snapshot('seeded')
  await send(klamm, 'orders', ['c'])
  assert.deepEqual(await offsets(klamm, 'orders'), [0, 3])
  await klamm.reset({ snapshot: 'seeded' })
  await klamm.waitFor({ topic: 'orders', records: 2 })
  assert.deepEqual(await offsets(klamm, 'orders'), [0, 2])
  assert.deepEqual(await read(klamm, 'orders', 2), ['a', 'b'])
  await klamm.reset()
  await klamm.waitFor({ topic: 'orders', records: 0 })
  assert.deepEqual(await offsets(klamm, 'orders'), [0, 0])
  await send(klamm, 'orders', ['d'])
  assert.deepEqual(await read(klamm, 'orders', 1), ['d'])
  await assert.rejects(klamm.reset({ snapshot: 'none' }), { name: 'KlammError', message: 'there is no such snapshot' })
})

test('a rule that is wrong is refused', async (t) => {
  const klamm = await started(t)
  await assert.rejects(klamm.fault({ api: 'Produce' }, { error: 'NOPE' }), { name: 'KlammError', message: 'there is no error "NOPE"' })
  const unused = await klamm.fault({ transactionalId: 'none' }, { delayMs: 5 }, 1, { expiresMs: 60_000 })
  assert.equal(await unused.matched(), 0)
})
