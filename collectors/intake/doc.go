// Package intake takes alerts and changes in the formats of others, so that their senders and clients work unchanged:
// Alertmanager's API v2, PagerDuty's Events API v2, the alert webhooks of Alertmanager, Grafana, CloudWatch, Datadog
// and Sentry, the deployment webhooks of GitHub, GitLab and Argo CD, and CloudEvents with CDEvents in them.
//
// Each format is one pure function from bytes to the nouns of package ops; what a format says beyond that is ignored.
// Nothing is kept here: alerts, silences and changes live in their rooms, which also tell what is already known.
package intake
