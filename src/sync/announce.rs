//! What listeners hear of a change that has been made: caches first, for whoever is told of a phase reads
//! them anew.

use super::context::Context;
use super::notice::{CacheInvalidated, Notice, PhaseTransition};
use super::subscription::Subscription;
use crate::protocol::body::Body;
use crate::protocol::transition::Transition;
use crate::store::{Change, PhaseChange};

impl Subscription {
    /// Tells what an applied event changed: caches first, then listeners.
    pub(super) fn announce(
        &mut self,
        cx: &mut Context,
        body: &Body<'_>,
        change: Change,
        timestamp: &str,
    ) {
        if let Body::Transition(transition) = body {
            self.announce_transition(cx, transition, &change, timestamp);
        } else if let Some(phase) = change.phase {
            self.announce_phase(cx, phase, "", timestamp);
        }
        if let Some((level, message)) = change.notification {
            cx.notify(Notice::Notification { campaign_id: self.id.clone(), level, message });
        }
        if change.ended {
            self.end(cx, "deleted");
        }
        if let Some(claim) = change.claim {
            self.compare(cx, claim);
        }
    }

    pub(super) fn announce_transition(
        &mut self,
        cx: &mut Context,
        transition: &Transition,
        change: &Change,
        timestamp: &str,
    ) {
        if let Some(code) = change.refused {
            cx.notify(Notice::TransitionRefused {
                campaign_id: self.id.clone(),
                code,
                new_phase: transition.new_phase,
                trigger_reason: transition.trigger_reason.clone(),
            });
            return;
        }
        if !planted!(CacheKeptInTransition) {
            self.invalidate(cx, "phase_transition");
        }
        let Some(phase) = change.phase else { return };
        cx.notify(Notice::PhaseTransition(PhaseTransition {
            trigger_reason: transition.trigger_reason.clone(),
            estimated_duration: transition.estimated_duration,
            ..self.phase_notice(phase, &transition.transition_type, timestamp)
        }));
    }

    /// The phase differs for another reason than a transition event.
    pub(super) fn announce_phase(
        &mut self,
        cx: &mut Context,
        phase: PhaseChange,
        transition_type: &str,
        timestamp: &str,
    ) {
        self.invalidate(cx, "phase_transition");
        let notice = self.phase_notice(phase, transition_type, timestamp);
        cx.notify(Notice::PhaseTransition(notice));
    }

    fn phase_notice(
        &self,
        phase: PhaseChange,
        transition_type: &str,
        timestamp: &str,
    ) -> PhaseTransition {
        PhaseTransition {
            campaign_id: self.id.clone(),
            previous_phase: phase.from,
            new_phase: phase.to,
            new_status: phase.status,
            timestamp: timestamp.to_owned(),
            transition_type: transition_type.to_owned(),
            trigger_reason: None,
            estimated_duration: None,
            epoch: self.store.position().map(|position| position.epoch.as_str().to_owned()),
            sequence_number: self.applied().get(),
            recovered: !self.recovery.is_settled(),
        }
    }

    /// What is cached of this campaign is no longer true.
    pub(super) fn invalidate(&self, cx: &mut Context, reason: &'static str) {
        let transition = reason == "phase_transition";
        let phase = self.store.record().map(|record| record.phase);
        cx.notify(Notice::CacheInvalidated(CacheInvalidated {
            campaign_id: self.id.clone(),
            reason,
            new_phase: phase.filter(|_| transition),
            epoch: self.store.position().map(|position| position.epoch.as_str().to_owned()),
            sequence_number: self.applied().get(),
        }));
    }
}
