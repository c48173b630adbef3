// graphql-sse for everything, a connection for each operation.
import { createClient } from "graphql-sse";
import { authorization, session } from "./session.mjs";

await session((url, token) => {
  const client = createClient({ url, headers: authorization(token), retryAttempts: 0 });
  const first = async (query, variables) => {
    for await (const { data, errors } of client.iterate({ query, variables })) {
      if (errors) throw new Error(JSON.stringify(errors));
      return data;
    }
  };
  return { run: first, first, close: () => client.dispose() };
});
