// The address of the page decides the origin of the sockets of jsdom.
export default { test: { environment: "jsdom", environmentOptions: { jsdom: { url: process.env.CAMPAIGN_PAGE } }, include: ["follow.test.js", "testing.test.js"] } };
