// kafkajs before a broker of each test.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readFileSync } from 'node:fs'
import kafkajs from 'kafkajs'
import { Klamm, KlammError, WaitTimeout } from 'klamm'

const { Kafka, logLevel } = kafkajs
const HOUR = 3_600_000
/** How long anything here may take on a busy machine. */
const DEADLINE_MS = 60_000

/** Looks again and again, until it is so or the time is over. */
async function until(sentence, isSo) {
  for (const late = Date.now() + DEADLINE_MS; !(await isSo()); ) {
    assert.ok(Date.now() < late, `${sentence}: not within ${DEADLINE_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

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
  // It sleeps so long for each broker that it reads nothing from, also when it shall end.
  const consumer = kafka(klamm).consumer({ groupId, maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const values = []
  await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${values.length} of ${count} records in ${DEADLINE_MS} ms`)), DEADLINE_MS)
    consumer.on(consumer.events.DISCONNECT, () => clearTimeout(late))
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
  await until('a Produce is held', async () => (await fault.struck()) > 0)
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
  assert.deepEqual((await klamm.requests({ id: sent.id, broker: 1 })).map((one) => one.id), [sent.id])
  await assert.rejects(klamm.waitFor({ topic: 'orders', fetched: 1, partition: 0, clientId: 'none', timeoutMs: 20 }), /by the client none/)
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

const LINES = `{"topic":"orders","partitions":2,"configs":{"cleanup.policy":"compact"}}
{"topic":"orders","partition":1,"key":"k1","value":{"json":{"amount":5}},"headers":[["trace","a"]],"timestamp":1767225600000}
{"topic":"orders","partition":1,"key":"k2","value":null}
`

test('topics and records in and out', async (t) => {
  const klamm = await started(t)
  assert.deepEqual(await klamm.loadFixtures(LINES), { topics: 1, records: 2 })
  assert.deepEqual((await klamm.records('orders', 1)).map(({ key }) => key), ['k1', 'k2'])
  const [first, ...others] = await klamm.records('orders', 1, { before: 1, json: true })
  assert.deepEqual(others, [])
  assert.deepEqual(first.value, { json: { amount: 5 } })
  assert.deepEqual([first.offset, Number(first.timestamp), first.headers], [0, 1767225600000, [['trace', 'a']]])
  assert.deepEqual(await klamm.records('orders'), [])
  const [topic] = await klamm.topics('orders')
  assert.deepEqual([topic.records, topic.configs], [2, { 'cleanup.policy': 'compact' }])
  assert.deepEqual(topic.partitions.map(({ end, lastStable }) => [end, lastStable]), [[0, 0], [2, 2]])
  const dumped = await klamm.dumpFixtures()
  assert.equal(await klamm.dumpFixtures('orders'), dumped)
  await klamm.reset()
  assert.deepEqual(await klamm.loadFixtures(Buffer.from(dumped)), { topics: 1, records: 2 })
  assert.equal(await klamm.dumpFixtures(), dumped)
  const lines = LINES.trim().split('\n').slice(1).map((line) => ({ ...JSON.parse(line), partition: 0 }))
  assert.deepEqual(await klamm.loadFixtures(lines), { topics: 0, records: 2 })
  assert.match(await klamm.metrics(), /^kafka_topic_partition_current_offset\{topic="orders",partition="0"\} 2$/m)
})

test('what is not there is said', async (t) => {
  const klamm = await started(t)
  await assert.rejects(klamm.loadFixtures([{ topic: 'orders' }, { topic: 7 }]), { name: 'KlammError', message: /^line 2: / })
  for (const call of ['dumpFixtures', 'topics', 'records', 'groups']) {
    await assert.rejects(klamm[call]('none'), (error) => error instanceof KlammError && /none/.test(error.message))
  }
})

test('members are expired and a rebalance is forced', async (t) => {
  const klamm = await started(t, { topics: ['orders'] })
  const consumer = kafka(klamm).consumer({ groupId: 'readers', heartbeatInterval: 100, maxWaitTimeInMs: 100 })
  let joined = 0
  consumer.on(consumer.events.GROUP_JOIN, () => joined++)
  await consumer.connect()
  // Before the broker ends: a consumer that has lost it would come back for ever.
  try {
    await consumer.subscribe({ topic: 'orders' })
    await consumer.run({ eachMessage: async () => {} })
    await until('it has joined', () => joined === 1)
    await klamm.forceRebalance('readers')
    await until('it has joined again', () => joined === 2)
    const memberIds = async () => (await klamm.groups('readers'))[0].members.map(({ memberId }) => memberId)
    for (const isNamed of [true, false]) {
      await klamm.waitFor({ group: 'readers', members: 1, timeoutMs: DEADLINE_MS })
      const [before] = await memberIds()
      await klamm.expireMembers('readers', isNamed ? before : undefined)
      await until('another member is there', async () => ![undefined, before].includes((await memberIds())[0]))
    }
  } finally {
    await consumer.disconnect()
  }
})

test('logs are compacted and retained now', async (t) => {
  const klamm = await started(t, { topics: ['accounts:1:cleanup.policy=compact', 'orders:1:retention.ms=1000'] })
  const lines = ['1', '2'].map((value) => ({ topic: 'accounts', key: 'a', value }))
  await klamm.loadFixtures([...lines, { topic: 'orders', value: 'old', timestamp: 1 }])
  await klamm.compact('accounts')
  await klamm.applyRetention()
  assert.deepEqual((await klamm.records('accounts')).map((one) => one.value), ['2'])
  assert.deepEqual(await klamm.records('orders'), [])
  await assert.rejects(klamm.compact('orders'), /not compacted/)
})

test('a producer is fenced', async (t) => {
  const klamm = await started(t, { topics: ['orders'] })
  const producer = kafka(klamm).producer({ transactionalId: 'payments', idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const transaction = await producer.transaction()
  await transaction.send({ topic: 'orders', messages: [{ value: 'a' }] })
  await klamm.fenceProducer('payments')
  await assert.rejects(transaction.commit(), (error) => ['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'].includes(error.type ?? error.cause?.type))
  await producer.disconnect()
  const [sent, marker] = await klamm.records('orders')
  assert.deepEqual([sent.value, sent.transaction], ['a', 'aborted'])
  assert.deepEqual([marker.value, marker.headers, marker.control], [null, [], 'Abort'])
})

async function leader(klamm) {
  const [{ partitions }] = await klamm.topics('orders')
  return partitions[0].leader
}

test('leaders and coordinators move, and a broker goes down', async (t) => {
  const klamm = await started(t, { brokers: 3, topics: ['orders'] })
  const before = await klamm.brokerStates()
  assert.deepEqual(before.map(({ listeners: [{ host, port }] }) => `${host}:${port}`), klamm.brokers)
  assert.equal(klamm.bootstrapServers, klamm.brokers.join())
  assert.deepEqual(before.map(({ broker, rack, up }) => [broker, rack, up]), [1, 2, 3].map((id) => [id, `rack-${id}`, true]))
  await send(klamm, 'orders', ['a'])
  // The metadata of before are shown once more, and the one that leads now is asked.
  const stale = await klamm.fault({ api: 'Metadata' }, { stale: true }, 1)
  const moved = ((await leader(klamm)) % 3) + 1
  const refusal = await klamm.fault({ api: 'Produce', broker: moved }, { error: 'NOT_ENOUGH_REPLICAS' }, 1)
  await klamm.moveLeader('orders', 0, moved)
  assert.equal(await leader(klamm), moved)
  await send(klamm, 'orders', ['b'])
  assert.deepEqual([await stale.struck(), await refusal.struck()], [1, 1])
  assert.deepEqual(await read(klamm, 'orders', 2), ['a', 'b'])
  await klamm.moveCoordinator({ group: 'readers' }, moved)
  await send(klamm, 'orders', ['c'])
  assert.deepEqual(await read(klamm, 'orders', 1), ['c'])

  await klamm.takeBrokerDown(moved)
  const { up, leads } = (await klamm.brokerStates())[moved - 1]
  assert.deepEqual([up, leads], [false, 0])
  await send(klamm, 'orders', ['d'])
  await assert.rejects(klamm.moveLeader('orders', 0, moved), { name: 'KlammError', message: `the broker ${moved} is down` })
  await klamm.bringBrokerUp(moved)
  assert.ok((await klamm.brokerStates()).every(({ up }) => up))
  assert.notEqual(await leader(klamm), moved)
  assert.deepEqual(await read(klamm, 'orders', 4, 'others'), ['a', 'b', 'c', 'd'])
})

test('consumers are told of other brokers, and of a follower', async (t) => {
  const klamm = await started(t, { brokers: 3, topics: ['orders'] })
  await klamm.setFollower('orders', 0, ((await leader(klamm)) % 3) + 1, { start: 0, end: 1 })
  await klamm.setFollower('orders', 0, null)
  const told = async () => (await klamm.brokerStates()).map(({ rack, hidden }) => [rack, hidden])
  await klamm.setRack(1, 'a')
  await klamm.setRack(2, null)
  await klamm.hideBroker(3)
  assert.deepEqual(await told(), [['a', false], [null, false], ['rack-3', true]])
  await klamm.hideBroker(3, false)
  assert.deepEqual(await told(), [['a', false], [null, false], ['rack-3', false]])
  await klamm.tellLeader('orders', 0, { leader: 9, epoch: 7 })
  await klamm.tellLeader('orders', 0)
  await assert.rejects(klamm.tellLeader('orders', 1), { name: 'KlammError', message: 'there is no partition orders-1' })
  await klamm.setAddress(2, { host: 'proxy.test', port: 9192 })
  await klamm.setAddress(2)
  await assert.rejects(klamm.setAddress(4), { name: 'KlammError', message: 'there is no broker 4' })
})

test('the coordinator of a transaction moves', async (t) => {
  const klamm = await started(t, { brokers: 3, topics: ['orders'] })
  const producer = kafka(klamm).producer({ transactionalId: 'payments', idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const transaction = await producer.transaction()
  await transaction.send({ topic: 'orders', messages: [{ value: 'a' }] })
  for (const to of [1, 2, 3]) await klamm.moveCoordinator({ transactionalId: 'payments' }, to)
  await transaction.commit()
  await producer.disconnect()
  await klamm.waitFor({ transactionalId: 'payments' })
  assert.equal((await klamm.records('orders'))[0].transaction, 'committed')
})

test('one broker has no other', async (t) => {
  const klamm = await started(t)
  const [{ broker, up }] = await klamm.brokerStates()
  assert.deepEqual([up, klamm.brokers.length], [true, 1])
  await assert.rejects(klamm.takeBrokerDown(broker), { name: 'KlammError', message: /this process plays one broker/ })
})

test('the disk is full and a batch is broken', async (t) => {
  const klamm = await started(t, { topics: ['orders'] })
  await klamm.setDisk({ full: true })
  await assert.rejects(klamm.loadFixtures([{ topic: 'orders', value: 'a' }]), { name: 'KlammError', message: /error 56/ })
  await klamm.setDisk({ full: false, syncMs: 1, syncsFail: false })
  await klamm.loadFixtures([{ topic: 'orders', value: 'a' }, { topic: 'orders', value: 'b' }])
  assert.equal(await klamm.corruptBatch('orders', 0, 1), 0)
  await assert.rejects(klamm.corruptBatch('orders', 0, 7), { name: 'KlammError', message: /no batch with the offset 7/ })
})

test('records that fill no page are all shown', async (t) => {
  const klamm = await started(t, { topics: ['orders'] })
  await klamm.loadFixtures(Array.from({ length: 400 }, () => ({ topic: 'orders', value: 'x'.repeat(16_000) })))
  assert.deepEqual((await klamm.records('orders')).map(({ offset }) => offset), Array.from({ length: 400 }, (_, offset) => offset))
  assert.deepEqual((await klamm.records('orders', 0, { limit: 3 })).map(({ offset }) => offset), [397, 398, 399])
})

test('snapshots are listed and forgotten, rules are listed', async (t) => {
  const klamm = await started(t)
  await klamm.snapshot('a & b')
  assert.deepEqual((await klamm.snapshots()).map(({ name }) => name), ['a & b'])
  await klamm.forgetSnapshot('a & b')
  assert.deepEqual(await klamm.snapshots(), [])
  const fault = await klamm.fault({ api: 'Fetch' }, { hold: true })
  assert.deepEqual((await klamm.faults()).map(({ id, struck, over }) => [id, struck, over]), [[fault.id, 0, false]])
})
