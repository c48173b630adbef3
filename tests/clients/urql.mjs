// urql over HTTP, with graphql-ws for its subscriptions.
import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { authorization, session } from "./session.mjs";

await session((url, token) => {
  const sockets = createClient({
    url: url.replace("http", "ws"),
    webSocketImpl: WebSocket,
    connectionParams: authorization(token),
    retryAttempts: 0,
  });
  const client = new Client({
    url,
    preferGetMethod: true,
    fetchOptions: { headers: authorization(token) },
    exchanges: [
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: (request) => ({
          subscribe: (sink) => ({ unsubscribe: sockets.subscribe(request, sink) }),
        }),
      }),
    ],
  });
  const data = (result) => {
    if (result.error) throw result.error;
    return result.data;
  };
  return {
    run: async (text, variables) => {
      const send = text.startsWith("query") ? client.query : client.mutation;
      return data(await send.call(client, text, variables).toPromise());
    },
    first: (text, variables) =>
      new Promise((resolve, reject) => {
        const { unsubscribe } = client.subscription(text, variables).subscribe((result) => {
          try {
            resolve(data(result));
          } catch (error) {
            reject(error);
          }
          queueMicrotask(() => unsubscribe());
        });
      }),
    close: () => sockets.dispose(),
  };
});
