// EventSource against GET /stream; fetch for the rest.
import { EventSource } from "eventsource";
import { authorization, session } from "./session.mjs";

await session((url, token) => {
  const run = async (query, variables) => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...authorization(token) },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = await response.json();
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  };
  let stream;
  const first = () =>
    new Promise((resolve, reject) => {
      stream = new EventSource(url.replace("/graphql", "/stream"), {
        fetch: (input, init) =>
          fetch(input, { ...init, headers: { ...init.headers, ...authorization(token), "Last-Event-ID": "0:1" } }),
      });
      stream.addEventListener("score_update", ({ data }) => resolve(JSON.parse(data)));
      stream.addEventListener("error", reject);
    });
  return { run, first, close: () => stream?.close() };
});
