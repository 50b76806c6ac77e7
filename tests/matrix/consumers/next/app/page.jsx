"use client";

import { useEffect } from "react";

import { start } from "../page.js";

export default function Page() {
  useEffect(() => start(), []);
  return <p>campaign-sync</p>;
}
