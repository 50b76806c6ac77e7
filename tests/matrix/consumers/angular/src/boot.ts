import { Component } from "@angular/core";
import { bootstrapApplication } from "@angular/platform-browser";

import { start } from "./page.js";

@Component({ selector: "app-root", template: "<p>campaign-sync</p>" })
class App {
  constructor() {
    start();
  }
}

void bootstrapApplication(App);
