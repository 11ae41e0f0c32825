// The unmodified openai package against the gateway, as its own documentation shows it.
// node openai.mjs URL KEY → one JSON object of what came.
import OpenAI, { toFile } from "openai";

const [, , url, apiKey] = process.argv;
const client = new OpenAI({ apiKey, baseURL: `${url}/v1` });
const red = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";

const magic = (encoded) => Buffer.from(encoded, "base64").subarray(0, 4).toString("hex");

async function failing(call) {
  try {
    await call();
    return null;
  } catch (error) {
    return { name: error.constructor.name, status: error.status, code: error.code, param: error.param };
  }
}

const generated = await client.images.generate({ model: "auto", prompt: "a red fox", n: 2 });

const edited = await client.images.edit({
  model: "auto",
  image: await toFile(Buffer.from(red, "base64"), "red.png", { type: "image/png" }),
  prompt: "add snow",
});

const events = [];
let last = null;
const stream = await client.images.generate({ model: "auto", prompt: "a fox", stream: true, partial_images: 2 });
for await (const event of stream) {
  events.push(event.type);
  last = event;
}

const models = [];
for await (const known of client.models.list()) models.push(known.id);

console.log(
  JSON.stringify({
    generated: generated.data.map((picture) => magic(picture.b64_json)),
    tokens: generated.usage.total_tokens,
    edited: edited.data.map((picture) => magic(picture.b64_json)),
    events,
    streamed: magic(last.b64_json),
    models,
    masked: await failing(async () =>
      client.images.edit({
        model: "auto",
        image: await toFile(Buffer.from(red, "base64"), "red.png", { type: "image/png" }),
        mask: await toFile(Buffer.from(red, "base64"), "mask.png", { type: "image/png" }),
        prompt: "add snow",
      }),
    ),
    unknown: await failing(() => client.images.generate({ model: "gpt-image-2", prompt: "a fox" })),
  }),
);
