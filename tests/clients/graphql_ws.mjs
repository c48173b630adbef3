// graphql-ws for everything: queries and mutations travel over the socket as well.
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { authorization, session } from "./session.mjs";

await session((url, token) => {
  const client = createClient({
    url: url.replace("http", "ws"),
    webSocketImpl: WebSocket,
    connectionParams: authorization(token),
    retryAttempts: 0,
  });
  const first = async (query, variables) => {
    for await (const { data, errors } of client.iterate({ query, variables })) {
      if (errors) throw new Error(JSON.stringify(errors));
      return data;
    }
  };
  return { run: first, first, close: () => client.dispose() };
});
