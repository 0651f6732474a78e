// Logins: `login.js kafkajs|platformatic` reads ways to come in as JSON lines (src/login.rs says what is in them), writes two
// records by each and reads them back, and prints a line for each: what it read, or its error.
'use strict'
const fs = require('fs')
const readline = require('readline')

const VALUES = ['one', 'two']
const WITHIN = 15000

const within = (promise) => {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('nothing happened in time')), WITHIN)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

function tls(way) {
  if (!way.tls) return undefined
  const read = (path) => (path ? fs.readFileSync(path) : undefined)
  return { ca: [read(way.ca)], cert: read(way.certificate), key: read(way.key), servername: 'localhost' }
}

async function kafkajs(way) {
  const { Kafka, logLevel } = require('kafkajs')
  const sasl = {
    mechanism: way.mechanism.toLowerCase(),
    username: way.user,
    password: way.password,
    oauthBearerProvider: async () => ({ value: way.token }),
  }
  const heard = []
  const kafka = new Kafka({
    clientId: 'klamm-compat',
    brokers: [way.bootstrap],
    ssl: tls(way),
    sasl: way.mechanism ? sasl : undefined,
    retry: { retries: 1, initialRetryTime: 50 },
    logLevel: logLevel.ERROR,
    logCreator: () => ({ log }) => heard.push(log.message + ' ' + (log.error ?? '')),
  })
  const producer = kafka.producer()
  const consumer = kafka.consumer({ groupId: `group-${way.topic}`, maxWaitTimeInMs: 200 })
  try {
    await producer.connect()
    await producer.send({ topic: way.topic, messages: VALUES.map((value) => ({ value, partition: 0 })) })
    await consumer.connect()
    await consumer.subscribe({ topics: [way.topic], fromBeginning: true })
    const read = []
    await new Promise((resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
      const eachMessage = async ({ message }) => {
        read.push(message.value.toString())
        if (read.length === VALUES.length) resolve()
      }
      consumer.run({ eachMessage }).catch(reject)
    })
    return read
  } catch (error) {
    error.message += ' / ' + heard.join(' / ')
    throw error
  } finally {
    await producer.disconnect().catch(() => {})
    await consumer.disconnect().catch(() => {})
  }
}

async function platformatic(way) {
  const { Consumer, Producer, stringDeserializers, stringSerializers } = require('@platformatic/kafka')
  const { mechanism, user: username, password, token } = way
  const sasl = mechanism === 'OAUTHBEARER' ? { mechanism, token } : { mechanism, username, password }
  const login = {
    clientId: 'klamm-compat',
    bootstrapBrokers: [way.bootstrap],
    retries: 1,
    retryDelay: 50,
    connectTimeout: 5000,
    ...(way.tls ? { tls: tls(way) } : {}),
    ...(mechanism ? { sasl } : {}),
  }
  const producer = new Producer({ ...login, serializers: stringSerializers })
  const consumer = new Consumer({ ...login, groupId: `group-${way.topic}`, deserializers: stringDeserializers, maxWaitTime: 200 })
  try {
    await producer.send({ messages: VALUES.map((value) => ({ topic: way.topic, value, partition: 0 })), acks: -1 })
    const stream = await consumer.consume({ topics: [way.topic], mode: 'earliest', autocommit: false })
    const read = []
    for await (const message of stream) {
      read.push(message.value)
      if (read.length === VALUES.length) break
    }
    return read
  } finally {
    await producer.close().catch(() => {})
    await consumer.close(true).catch(() => {})
  }
}

/** An error with those that caused it. */
function reasons(error) {
  if (!error) return []
  return [`${error.name}: ${error.message}`, ...reasons(error.cause), ...(error.errors ?? []).flatMap(reasons)]
}

async function main() {
  const call = { kafkajs, platformatic }[process.argv[2]]
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let answer
    try {
      answer = { read: await within(call(JSON.parse(line))) }
    } catch (error) {
      answer = { error: reasons(error).join(' / ') }
    }
    process.stdout.write(JSON.stringify(answer) + '\n')
  }
  process.exit(0)
}

process.on('unhandledRejection', () => {})
main().catch((error) => {
  console.error(error)
  process.exit(1)
})
