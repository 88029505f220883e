// Socket.IO 4 with its Redis adapter: a socket joins the room its address names; messages come through the adapter.
"use strict";
const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { createAdapter } = require("@socket.io/redis-adapter");
const Redis = require("ioredis");

const [port, redisPort] = process.argv.slice(2).map(Number);
const publishing = new Redis({ host: "127.0.0.1", port: redisPort });
const http = createServer();
const io = new Server(http, {
  adapter: createAdapter(publishing, publishing.duplicate()),
  transports: ["websocket"],
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
  // An hour: no ping falls into a run.
  pingInterval: 3600000,
  pingTimeout: 3600000,
});

io.on("connection", (socket) => socket.join(socket.handshake.query.room));
http.listen({ host: "127.0.0.1", port, backlog: 4096 });
