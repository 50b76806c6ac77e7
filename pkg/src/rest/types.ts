/** The types of the REST interface. `npm run rest-types` writes this file from docs/openapi.json. */
export interface paths {
    "/auth/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Begins a session. A page receives it as a cookie that scripts cannot read. A client that requests a bearer token receives the token and no cookie. */
        post: operations["login"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ends the session. Its sockets are notified and closed. */
        post: operations["logout"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The session of the request. */
        get: operations["session"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/sessions/{user}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Ends all sessions of a user; for the operator. */
        delete: operations["revoke"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/campaigns": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** All campaigns of the caller, or a page of them. */
        get: operations["list"];
        put?: never;
        /** Creates a campaign. */
        post: operations["create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/campaigns/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The record and the settings. */
        get: operations["one"];
        put?: never;
        post?: never;
        /** Deletes a campaign, and answers with its last state. */
        delete: operations["delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/campaigns/{id}/{action}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Configures, starts, pauses, resumes or rolls back a phase. */
        post: operations["act"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/campaigns/{id}/domains": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A page of rows. */
        get: operations["domains"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/campaigns/{id}/owner": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Gives the campaign to another owner. */
        put: operations["set_owner"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/campaigns/{id}/snapshot": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The whole state at one number. */
        get: operations["snapshot"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/campaigns/{id}/transitions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The audit trail of a campaign: requests and their results. Includes deleted campaigns. */
        get: operations["transitions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/faults": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The settings. */
        get: operations["get"];
        put?: never;
        /** Replaces the settings. A setting that the body omits is off. */
        post: operations["set"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/faults/cut": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Cuts every socket without a close frame. */
        post: operations["cut"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/faults/diverge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Changes rows without an event. */
        post: operations["diverge"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/faults/kill": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Aborts the process shortly after the answer. */
        post: operations["kill"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/faults/truncate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Deletes all history except the newest events. */
        post: operations["truncate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description One request, and its result. */
        AuditEntry: {
            /** @description The id of that event. */
            eventId?: string | null;
            /** @description The phase and status before, such as `dns_validation/paused`. */
            from: string;
            /** @description The text of the refusal, for people. */
            message?: string | null;
            /** @description The name of the operation, such as `DNS_Phase_Transition`. */
            name: string;
            /** @description The reason of the request, for people. */
            reason: string;
            /** @description `accepted`, or the code of the refusal. */
            result: string;
            /**
             * Format: int64
             * @description The number of the last event of the request, if it was accepted.
             */
            sequenceNumber?: number | null;
            /** @description The time of the request, in RFC 3339. */
            timestamp: string;
            /** @description The phase and status after it. */
            to: string;
            /**
             * @description `manual`, `automatic` or `error_recovery` for a transition; `status`, `creation`, `owner` or `deletion`
             *     for any other change.
             */
            type: string;
            /** @description The user; `operator`, `anonymous` or `server` for a request of no user. */
            who: string;
        };
        /** @description The audit trail of a campaign. */
        AuditTrail: {
            /** @description The requests, in order. */
            transitions: components["schemas"]["AuditEntry"][];
        };
        /** @description A campaign: its record, and its settings. */
        Campaign: components["schemas"]["Record"] & {
            /** @description The settings. */
            settings: components["schemas"]["Settings"];
        };
        /** @description Campaigns, in ascending order of their ids. */
        CampaignList: {
            /** @description The records. */
            campaigns: components["schemas"]["Record"][];
            /** @description The cursor of the next page; `null` on the last one. Absent if the request asks for no page. */
            next?: string | null;
        };
        /** @description A change of a campaign. */
        Change: {
            /** @description `phase`, or `phase/status`: the request is refused unless the campaign is in this state. */
            expectedState?: string | null;
            /** @description The reason, for people. */
            reason?: string | null;
        };
        /** @description A changed campaign. */
        Changed: {
            /** @description The record after the change. */
            campaign: components["schemas"]["Record"];
            /** @description The position at which the change is visible. */
            position: components["schemas"]["Position"];
        };
        /** @description A user and a password. */
        Credentials: {
            /** @description With `true` the answer has a token for `connection_init` and `Authorization`, and sets no cookie. */
            bearer?: boolean | null;
            /** @description The password. */
            password: string;
            /** @description The name of the user. */
            user: string;
        };
        /** @description The session of a request. */
        CurrentSession: {
            /**
             * Format: int64
             * @description The rest of its life, in seconds, if it expires.
             */
            expiresInSeconds?: number | null;
            /** @description The subject of the session, as `connection_ack` names it. */
            subject?: string | null;
            /** @description The user; `operator` or `anonymous` for a session of no user. */
            user: string;
        };
        /** @description The sockets that were cut. */
        Cut: {
            /** @description Their number. */
            cut: number;
        };
        /** @description The campaign whose rows are changed without an event. */
        Diverge: {
            /**
             * @description With `true`, the stored count and digest do not follow, so the next integrity check fails. With
             *     `false` they follow, and only clients can notice.
             */
            breakIntegrity?: boolean | null;
            /** @description The id of the campaign. */
            campaignId: string;
            kind?: components["schemas"]["Kind"] | null;
            /**
             * Format: int64
             * @description The number of rows; 1 if absent.
             */
            rows?: number | null;
        };
        /** @description Rows that were changed without an event. */
        Diverged: {
            /**
             * Format: int64
             * @description Their number.
             */
            changed: number;
        };
        /** @description A page of rows. */
        DomainsPage: {
            /** @description The rows. */
            domains: components["schemas"]["Row"][];
            /**
             * Format: int64
             * @description The number of all rows.
             */
            domainsCount: number;
            /**
             * Format: int64
             * @description The most rows of a page.
             */
            limit: number;
            /**
             * Format: int64
             * @description The number of matching rows before this page.
             */
            offset: number;
            /**
             * Format: int64
             * @description The number of matching rows.
             */
            total: number;
        };
        /** @description An answer without content. */
        Done: Record<string, never>;
        /** @description The sessions that were ended. */
        Ended: {
            /** @description Their number. */
            ended: number;
        };
        /** @description A refusal. */
        ErrorBody: {
            /** @description The reason. */
            error: components["schemas"]["ErrorReason"];
        };
        /** @description The reason of a refusal. */
        ErrorReason: {
            /** @description A code of the contract, docs/PROTOCOL.md, chapter 14. */
            code: string;
            /** @description The reason, for people. */
            message: string;
        };
        /** @description The faults of outgoing frames. */
        FaultSettings: {
            /**
             * @description Whether the faults also affect control messages.
             * @default false
             */
            control: boolean;
            /**
             * Format: double
             * @description Probability that one byte of a frame is changed.
             * @default 0
             */
            corrupt: number;
            /**
             * Format: int64
             * @description A fixed latency of each frame. Frames stay in order, and the latency does not accumulate.
             * @default 0
             */
            delayMs: number;
            /**
             * Format: double
             * @description Probability that a frame is lost.
             * @default 0
             */
            drop: number;
            /**
             * Format: double
             * @description Probability that a frame is sent twice.
             * @default 0
             */
            duplicate: number;
            /**
             * Format: double
             * @description Probability that a frame is swapped with the next one.
             * @default 0
             */
            reorder: number;
        };
        /** @description A server that ends. */
        Killed: {
            /** @description Always `true`. */
            killed: boolean;
        };
        /**
         * @description The kind of change.
         * @enum {string}
         */
        Kind: "change" | "insert";
        /** @description A new session. */
        LoggedIn: {
            /**
             * Format: int64
             * @description The life of the session, in seconds.
             */
            expiresInSeconds: number;
            /** @description The token, if the request asks for one. */
            token?: string | null;
            /** @description The user. */
            user: string;
        };
        /** @description A campaign to be created. */
        NewCampaign: {
            /**
             * Format: int64
             * @description Rows per event; the rate decides if absent.
             */
            batch?: number | null;
            /** @description Its id; generated if absent. */
            campaignId?: string | null;
            /**
             * Format: int64
             * @description The number of rows.
             */
            count: number;
            /** @description Its name. */
            name: string;
            /** @description The pattern of the domain names: `{word}`, `{n}` and `{letters}` are replaced. It contains `{n}`. */
            pattern?: string | null;
            /**
             * Format: int64
             * @description Rows per second.
             */
            rate?: number | null;
            /**
             * Format: int64
             * @description The seed from which all simulated results follow; 1 if absent.
             */
            seed?: number | null;
        };
        /** @description The body of a request that says nothing. */
        Nothing: Record<string, never>;
        /** @description The new owner of a campaign. */
        OwnerUpdate: {
            /** @description `phase`, or `phase/status`: the request is refused unless the campaign is in this state. */
            expectedState?: string | null;
            /** @description The user; `null` for the operator. */
            owner: string | null;
            /** @description The reason, for people. */
            reason?: string | null;
        };
        /** @description A position in the log of a campaign. */
        Position: {
            /** @description The epoch of the log. */
            epoch: string;
            /** @description The id of the event. */
            eventId: string;
            /**
             * Format: int64
             * @description The number of the event.
             */
            sequenceNumber: number;
        };
        /** @description A record in its wire form, docs/PROTOCOL.md, chapter 10. */
        Record: {
            /** @description The id of the campaign. */
            campaignId: string;
            /** @description The time of its creation, in RFC 3339; may be empty. */
            createdAt: string;
            /** @description Its phase. */
            currentPhase: string;
            /** @description The message of a failed phase, for people. */
            errorMessage?: string | null;
            /**
             * Format: int64
             * @description How many of them failed.
             */
            failedItems: number;
            /** @description Its name, for people. */
            name: string;
            /** @description Its status within the phase. */
            phaseStatus: string;
            /**
             * Format: int64
             * @description The number of items that the phase has processed.
             */
            processedItems: number;
            /**
             * Format: double
             * @description The progress of the phase, 0 to 100.
             */
            progressPercentage: number;
            /**
             * Format: int64
             * @description How many of them succeeded.
             */
            successfulItems: number;
            /**
             * Format: int64
             * @description The number of rows.
             */
            totalDomainCount: number;
            /**
             * Format: int64
             * @description The number of items that the phase processes.
             */
            totalItems: number;
            /** @description The time of its last change, in RFC 3339; may be empty. */
            updatedAt: string;
        };
        /** @description One domain. */
        Row: {
            /**
             * @description The result of DNS validation.
             * @default null
             */
            dnsStatus: string | null;
            /**
             * @description The domain name.
             * @default
             */
            domain: string;
            /**
             * @description The stable id.
             * @default
             */
            domainId: string;
            /**
             * @description The result of HTTP validation.
             * @default null
             */
            httpStatus: string | null;
            /**
             * Format: int32
             * @description The HTTP status code.
             * @default null
             */
            httpStatusCode: number | null;
            /**
             * Format: double
             * @description The score of the analysis.
             * @default null
             */
            leadScore: number | null;
            /**
             * @description The result of the analysis.
             * @default null
             */
            leadStatus: string | null;
            /**
             * Format: int64
             * @description The position in the generated sequence.
             * @default null
             */
            offset: number | null;
        };
        /** @description The settings of a campaign. The first event carries them, so they are part of the fold. */
        Settings: {
            /**
             * Format: int64
             * @description Rows per event; the rate decides if absent.
             */
            batch?: number | null;
            /**
             * Format: int64
             * @description The number of rows.
             */
            count: number;
            /** @description The owner of the campaign; absent for the operator. Events do not contain it. */
            owner?: string | null;
            /** @description The pattern of the domain names: `{word}`, `{n}` and `{letters}` are replaced. */
            pattern: string;
            /**
             * Format: int64
             * @description Rows per second.
             */
            rate: number;
            /**
             * Format: int64
             * @description The seed from which names and results follow.
             */
            seed: number;
        };
        /** @description The state of a campaign at one number. */
        Snapshot: {
            /** @description The record. */
            campaign: components["schemas"]["Record"];
            /** @description The id of the campaign. */
            campaignId: string;
            /** @description All rows. */
            domains: components["schemas"]["Row"][];
            /**
             * Format: int64
             * @description The number of rows.
             */
            domainsCount: number;
            /** @description The digest of the rows, docs/PROTOCOL.md, chapter 11. */
            domainsDigest: string;
            /** @description The epoch of the log. */
            epoch: string;
            /** @description The id of that event. */
            eventId: string;
            /**
             * Format: int64
             * @description The number of the last event that the state contains.
             */
            sequenceNumber: number;
            /** @description The subject of the session, if it has one and the server has no keys. */
            subject?: string | null;
        };
        /** @description The campaign whose history is truncated. */
        Truncate: {
            /** @description The id of the campaign. */
            campaignId: string;
            /**
             * Format: int64
             * @description The number of newest events to keep; 0 if absent.
             */
            keep?: number | null;
        };
        /** @description A truncated history. */
        Truncated: {
            /**
             * Format: int64
             * @description The oldest event that is left; the number after the head if all are deleted.
             */
            oldestSequenceNumber?: number | null;
        };
    };
    responses: {
        /** @description The body has more than 65,536 bytes */
        BodyTooLarge: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorBody"];
            };
        };
        /** @description The body did not arrive in time */
        BodyTooLate: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorBody"];
            };
        };
        /** @description The server is busy, does not reach its storage, or is behind */
        Busy: {
            headers: {
                /** @description Seconds until the client may try again */
                "Retry-After"?: number;
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorBody"];
            };
        };
        /** @description The user or the address takes too much */
        TooMuch: {
            headers: {
                /** @description Seconds until the client may try again */
                "Retry-After"?: number;
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ErrorBody"];
            };
        };
    };
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    login: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Credentials"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoggedIn"];
                };
            };
            408: components["responses"]["BodyTooLate"];
            413: components["responses"]["BodyTooLarge"];
            429: components["responses"]["TooMuch"];
            503: components["responses"]["Busy"];
            /** @description A refusal */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    logout: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Nothing"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Done"];
                };
            };
            408: components["responses"]["BodyTooLate"];
            413: components["responses"]["BodyTooLarge"];
            429: components["responses"]["TooMuch"];
            503: components["responses"]["Busy"];
            /** @description A refusal */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    session: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CurrentSession"];
                };
            };
            429: components["responses"]["TooMuch"];
            503: components["responses"]["Busy"];
            /** @description A refusal */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    revoke: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The name of the user */
                user: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Nothing"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Ended"];
                };
            };
            408: components["responses"]["BodyTooLate"];
            413: components["responses"]["BodyTooLarge"];
            429: components["responses"]["TooMuch"];
            503: components["responses"]["Busy"];
            /** @description A refusal */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list: {
        parameters: {
            query?: {
                /** @description The member `next` of the page before. */
                cursor?: string;
                /** @description The most campaigns of the answer; 100 if only the cursor is given. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CampaignList"];
                };
            };
            429: components["responses"]["TooMuch"];
            503: components["responses"]["Busy"];
            /** @description A refusal */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    create: {
        parameters: {
            query?: never;
            header?: {
                /** @description 1 to 128 visible ASCII characters, unique for its user and campaign. */
                "Idempotency-Key"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewCampaign"];
            };
        };
        responses: {
            201: {
                headers: {
                    /** @description `epoch/number` of the answer */
                    "Campaign-Position"?: string;
                    /** @description The address of the campaign */
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            408: components["responses"]["BodyTooLate"];
            413: components["responses"]["BodyTooLarge"];
            429: components["responses"]["TooMuch"];
            503: components["responses"]["Busy"];
            /** @description A refusal */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    one: {
        parameters: {
            query?: {
                /** @description `epoch/number`: the answer waits up to 2 s until the log has reached it. */
                min_position?: string;
            };
            header?: never;
            path: {
                /** @description The id of the campaign. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    /** @description `epoch/number` of the answer */
                    "Campaign-Position"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Campaign"];
                };
            };
            429: components["responses"]["TooMuch"];
            503: components["responses"]["Busy"];
            /** @description A refusal */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    delete: {
        parameters: {
            query?: never;
            header?: {
                /** @description 1 to 128 visible ASCII characters, unique for its user and campaign. */
                "Idempotency-Key"?: string | null;
            };
            path: {
                /** @description The id of the campaign. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Change"];
            };
        };
        responses: {
            200: {
                headers: {
                    /** @description `epoch/number` of the answer */
                    "Campaign-Position"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            408: components["responses"]["BodyTooLate"];
            413: components["responses"]["BodyTooLarge"];
            429: components["responses"]["TooMuch"];
            503: components["responses"]["Busy"];
            /** @description A refusal */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    act: {
        parameters: {
            query?: never;
            header?: {
                /** @description 1 to 128 visible ASCII characters, unique for its user and campaign. */
                "Idempotency-Key"?: string | null;
            };
            path: {
                /** @description The action. */
                action: "start" | "configure-dns" | "configure-http" | "configure-analysis" | "validate-dns" | "validate-http" | "analyze" | "pause" | "resume" | "rollback";
                /** @description The id of the campaign. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Change"];
            };
        };
        responses: {
            200: {
                headers: {
                    /** @description `epoch/number` of the answer */
                    "Campaign-Position"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            408: components["responses"]["BodyTooLate"];
            413: components["responses"]["BodyTooLarge"];
            429: components["responses"]["TooMuch"];
            503: components["responses"]["Busy"];
            /** @description A refusal */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    domains: {
        parameters: {
            query?: {
                /** @description Only rows with this DNS result. */
                dnsStatus?: string;
                /** @description Only rows with this HTTP result. */
                httpStatus?: string;
                /** @description The most rows of the answer; 100 if absent. More than 10,000 count as 10,000. */
                limit?: number;
                /** @description `epoch/number`: the answer waits up to 2 s until the log has reached it. */
                min_position?: string;
                /** @description The number of matching rows to skip; 0 if absent. */
                offset?: number;
                /** @description Only rows with this text in the domain name. */
                search?: string;
            };
            header?: never;
            path: {
                /** @description The id of the campaign. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    /** @description `epoch/number` of the answer */
                    "Campaign-Position"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DomainsPage"];
                };
            };
            429: components["responses"]["TooMuch"];
            503: components["responses"]["Busy"];
            /** @description A refusal */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    set_owner: {
        parameters: {
            query?: never;
            header?: {
                /** @description 1 to 128 visible ASCII characters, unique for its user and campaign. */
                "Idempotency-Key"?: string | null;
            };
            path: {
                /** @description The id of the campaign. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OwnerUpdate"];
            };
        };
        responses: {
            200: {
                headers: {
                    /** @description `epoch/number` of the answer */
                    "Campaign-Position"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Changed"];
                };
            };
            408: components["responses"]["BodyTooLate"];
            413: components["responses"]["BodyTooLarge"];
            429: components["responses"]["TooMuch"];
            503: components["responses"]["Busy"];
            /** @description A refusal */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    snapshot: {
        parameters: {
            query?: {
                /** @description `epoch/number`: the answer waits up to 2 s until the log has reached it. */
                min_position?: string;
            };
            header?: never;
            path: {
                /** @description The id of the campaign. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    /** @description `epoch/number` of the answer */
                    "Campaign-Position"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Snapshot"];
                };
            };
            429: components["responses"]["TooMuch"];
            503: components["responses"]["Busy"];
            /** @description A refusal */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    transitions: {
        parameters: {
            query?: {
                /** @description Includes all requests that change the campaign, not only transitions. */
                all?: boolean;
                /** @description `epoch/number`: the answer waits up to 2 s until the log has reached it. */
                min_position?: string;
            };
            header?: never;
            path: {
                /** @description The id of the campaign. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    /** @description `epoch/number` of the answer */
                    "Campaign-Position"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditTrail"];
                };
            };
            429: components["responses"]["TooMuch"];
            503: components["responses"]["Busy"];
            /** @description A refusal */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FaultSettings"];
                };
            };
            429: components["responses"]["TooMuch"];
            503: components["responses"]["Busy"];
            /** @description A refusal */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    set: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["FaultSettings"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FaultSettings"];
                };
            };
            408: components["responses"]["BodyTooLate"];
            413: components["responses"]["BodyTooLarge"];
            429: components["responses"]["TooMuch"];
            503: components["responses"]["Busy"];
            /** @description A refusal */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    cut: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Nothing"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Cut"];
                };
            };
            408: components["responses"]["BodyTooLate"];
            413: components["responses"]["BodyTooLarge"];
            429: components["responses"]["TooMuch"];
            503: components["responses"]["Busy"];
            /** @description A refusal */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    diverge: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Diverge"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Diverged"];
                };
            };
            408: components["responses"]["BodyTooLate"];
            413: components["responses"]["BodyTooLarge"];
            429: components["responses"]["TooMuch"];
            503: components["responses"]["Busy"];
            /** @description A refusal */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    kill: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Nothing"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Killed"];
                };
            };
            408: components["responses"]["BodyTooLate"];
            413: components["responses"]["BodyTooLarge"];
            429: components["responses"]["TooMuch"];
            503: components["responses"]["Busy"];
            /** @description A refusal */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    truncate: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Truncate"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Truncated"];
                };
            };
            408: components["responses"]["BodyTooLate"];
            413: components["responses"]["BodyTooLarge"];
            429: components["responses"]["TooMuch"];
            503: components["responses"]["Busy"];
            /** @description A refusal */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
}
