// Emits one message to each topic as any process beside Socket.IO would; the benchmark records it from Redis.
"use strict";
const { Emitter } = require("@socket.io/redis-emitter");
const Redis = require("ioredis");

const redisPort = Number(process.argv[2]);
const bodies = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const redis = new Redis({ host: "127.0.0.1", port: redisPort });
const emitter = new Emitter(redis);
bodies.forEach((body, topic) => emitter.to(String(topic)).emit("m", body));
redis.quit();
