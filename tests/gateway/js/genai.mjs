// The unmodified @google/genai against the gateway, as its own documentation shows it.
// node genai.mjs URL KEY MODEL → one JSON object of what came.
import { GoogleGenAI } from "@google/genai";

const [, , baseUrl, apiKey, model] = process.argv;
const ai = new GoogleGenAI({ apiKey, httpOptions: { baseUrl } });
const red = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";

const pictures = (response) =>
  (response.candidates?.[0]?.content?.parts ?? [])
    .filter((part) => part.inlineData)
    .map((part) => Buffer.from(part.inlineData.data, "base64").subarray(0, 4).toString("hex"));

async function failing(call) {
  try {
    await call();
    return null;
  } catch (error) {
    return { name: error.name, status: error.status, message: error.message };
  }
}

const generated = await ai.models.generateContent({
  model,
  contents: "a red fox",
  config: { imageConfig: { aspectRatio: "16:9" } },
});

const edited = await ai.models.generateContent({
  model,
  contents: [{ text: "add snow" }, { inlineData: { mimeType: "image/png", data: red } }],
});

const chat = ai.chats.create({ model });
await chat.sendMessage({ message: "a red fox" });
const continued = await chat.sendMessage({ message: "now in snow" });

const streamed = [];
let usage = null;
for await (const chunk of await ai.models.generateContentStream({ model, contents: "a fox" })) {
  streamed.push(...pictures(chunk));
  usage = chunk.usageMetadata ?? usage;
}

const file = await ai.files.upload({
  file: new Blob([Buffer.from(red, "base64")], { type: "image/png" }),
});
const names = [];
for await (const known of await ai.files.list()) names.push(known.name);
await ai.files.delete({ name: file.name });

const models = [];
for await (const known of await ai.models.list()) models.push(known.name);

console.log(
  JSON.stringify({
    generated: pictures(generated),
    tokens: generated.usageMetadata.totalTokenCount,
    edited: pictures(edited),
    continued: pictures(continued),
    streamed,
    streamedTokens: usage?.totalTokenCount,
    file: file.name,
    names,
    models,
    retired: await failing(() =>
      ai.models.generateContent({ model: "gemini-3-pro-image-preview", contents: "a fox" }),
    ),
    many: await failing(() =>
      ai.models.generateContent({ model, contents: "a fox", config: { candidateCount: 2 } }),
    ),
  }),
);
