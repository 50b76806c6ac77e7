//! The frames of one client, in order, as JSON Lines.

use campaign_sync::protocol::CampaignId;
use serde_json::{Value, json};

/// The direction of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Sent,
    Received,
    /// The socket closed; the frame is the close code.
    Closed,
}

impl Direction {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Closed => "closed",
        }
    }
}

/// The frames of one client, all its connections together.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    lines: Vec<String>,
    last_received: String,
}

impl Recording {
    /// Adds a frame, `at_ms` after the client started.
    pub(crate) fn add(&mut self, at_ms: u64, connection: u64, direction: Direction, frame: &str) {
        let direction_name = direction.as_str();
        let line = json!({
            "at_ms": at_ms,
            "connection": connection,
            "direction": direction_name,
            "frame": frame,
        });
        self.lines.push(line.to_string());
        if direction == Direction::Received {
            frame.clone_into(&mut self.last_received);
        }
    }

    /// Whether the last frame received is a `pong` with this head of the campaign. Such a `pong` carries
    /// the digest of all rows, and so proves the whole state.
    pub(crate) fn ends_with_head(&self, campaign: &CampaignId, number: u64) -> bool {
        let document: Value = serde_json::from_str(&self.last_received).unwrap_or_default();
        let heads = document["data"]["heads"].as_array().into_iter().flatten();
        document["type"] == "pong"
            && heads.into_iter().any(|head| {
                head["campaignId"] == campaign.as_str() && head["lastSequenceNumber"] == number
            })
    }

    /// The recording as JSON Lines.
    pub(crate) fn to_json_lines(&self) -> String {
        let mut text = self.lines.join("\n");
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pong(number: u64) -> String {
        let heads = json!([{"campaignId": "recorded", "lastSequenceNumber": number}]);
        json!({"type": "pong", "data": {"timestamp": 2, "heads": heads}}).to_string()
    }

    #[test]
    fn recording_ends_with_head_only_after_its_pong() {
        let campaign = CampaignId::new("recorded").unwrap();
        let mut recording = Recording::default();
        assert!(!recording.ends_with_head(&campaign, 7));
        recording.add(1, 1, Direction::Received, &pong(7));
        recording.add(2, 1, Direction::Sent, "{}");
        assert!(recording.ends_with_head(&campaign, 7));
        assert!(!recording.ends_with_head(&campaign, 8));
        recording.add(3, 1, Direction::Received, "{}\n{}");
        assert!(!recording.ends_with_head(&campaign, 7));
    }

    #[test]
    fn recording_is_one_json_object_a_line() {
        let mut recording = Recording::default();
        recording.add(12, 2, Direction::Closed, "1006");
        let line = r#"{"at_ms":12,"connection":2,"direction":"closed","frame":"1006"}"#;
        assert_eq!(recording.to_json_lines(), format!("{line}\n"));
    }
}
