// Node's `ws` with ioredis: a socket's topic is in its address, a message on Redis' room:N goes to topic N.
"use strict";
const { WebSocketServer, WebSocket } = require("ws");
const Redis = require("ioredis");

const [port, redisPort] = process.argv.slice(2).map(Number);
const topics = new Map();
const server = new WebSocketServer({
  host: "127.0.0.1",
  port,
  backlog: 4096,
  perMessageDeflate: false,
  clientTracking: false,
  skipUTF8Validation: true,
});

server.on("connection", (socket, request) => {
  const topic = new URL(request.url, "http://peer").searchParams.get("room");
  let sockets = topics.get(topic);
  if (!sockets) topics.set(topic, (sockets = new Set()));
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
  socket.on("error", () => sockets.delete(socket));
});

const redis = new Redis({ host: "127.0.0.1", port: redisPort });
redis.psubscribe("room:*");
redis.on("pmessageBuffer", (_pattern, channel, message) => {
  for (const socket of topics.get(channel.toString().slice(5)) ?? []) {
    if (socket.readyState === WebSocket.OPEN) socket.send(message, { binary: false });
  }
});
