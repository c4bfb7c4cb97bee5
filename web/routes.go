package web

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"goc/ops"
)

// routes lays out the native API: every route, who may use it, and what it is.
func (s *Server) routes() {
	s.plain("GET", prefix+"/situation", access{roles: reads}, "Everything a wall shows", http.HandlerFunc(s.getSituation), schemaOf[Situation](s, "200", "OK"))
	s.plain("GET", prefix+"/live", access{roles: reads}, "The live feed, a WebSocket", http.HandlerFunc(s.hub.accept))

	get(s, "/incidents", reads, "Incidents, newest first", s.listIncidents)
	post(s, "/incidents", responds, "Declare an incident by hand", s.declareIncident, created)
	get(s, "/incidents/{id}", reads, "One incident, whole", s.getIncident)
	get(s, "/incidents/{id}/timeline", reads, "What happened in an incident, in order", s.listTimeline)
	s.plain("GET", prefix+"/incidents/{id}/report", access{roles: reads}, "The post-incident report, Markdown, or in parts by Accept", http.HandlerFunc(s.getReport), reportDocument(s))
	s.plain("GET", prefix+"/incidents/{id}/history", access{roles: commands}, "What was recorded around an incident, as a replay file", http.HandlerFunc(s.getIncidentHistory), pathParams("id"), replayFile)
	s.plain("GET", prefix+"/history", access{roles: commands}, "What was recorded in a span of time, as a replay file", http.HandlerFunc(s.getHistory), span, replayFile)
	get(s, "/incidents/{id}/chart", reads, "The curve that proves an incident", s.getIncidentChart)
	post(s, "/incidents/{id}/acknowledge", responds, "Say that you are on it", s.acknowledgeIncident)
	post(s, "/incidents/{id}/mitigate", responds, "Say that customers no longer suffer", s.mitigateIncident)
	post(s, "/incidents/{id}/resolve", responds, "Say that it is done", s.resolveIncident)
	post(s, "/incidents/{id}/reopen", responds, "Say that it is not done after all", s.reopenIncident)
	post(s, "/incidents/{id}/notes", responds, "Add a note to the timeline", s.noteIncident)
	post(s, "/incidents/{id}/severity", commands, "Overrule the severity", s.setSeverity)
	post(s, "/incidents/{id}/roles", commands, "Give someone a role", s.setRole)
	post(s, "/incidents/{id}/merge", responds, "Merge an incident into another", s.mergeIncident)
	post(s, "/incidents/{id}/suspects/{change}/confirm", responds, "Say that this change did it", s.confirmSuspect)
	post(s, "/incidents/{id}/suspects/{change}/reject", responds, "Say that this change did not do it", s.rejectSuspect)
	post(s, "/incidents/{id}/split", responds, "Make a new incident of some alerts of one; answers the new one", s.splitIncident, created)
	post(s, "/incidents/{id}/unlink", responds, "Take alerts out of an incident; they are placed anew, and never again in it", s.unlinkAlerts)
	post(s, "/incidents/{id}/cause", responds, "Name the cause: the locate clock stops", s.nameCause)
	post(s, "/incidents/{id}/tasks", responds, "Note what somebody is to do, now or after the incident", s.addTask)
	post(s, "/incidents/{id}/tasks/{task}", responds, "Tick a task off, or change who does what by when", s.changeTask)
	post(s, "/incidents/{id}/attachments", responds, "Attach a link to something kept elsewhere", s.attach)
	register(s, http.MethodDelete, "/incidents/{id}/attachments/{attachment}", responds, "Take a link away", s.detach)
	get(s, "/incidents/{id}/update-draft", reads, "What stakeholders could be told now, written from facts", s.draftUpdate)
	post(s, "/incidents/{id}/updates", responds, "Note what stakeholders were told", s.postUpdate)
	get(s, "/incidents/{id}/similar", reads, "Past incidents that resemble one, and what helped then", s.listSimilar)
	get(s, "/incidents/{id}/handover", reads, "How an incident stands, for the next shift, as Markdown", s.handOver)
	get(s, "/handover", reads, "How everything stands that is open, for the next shift, as Markdown", s.handOverAll)
	get(s, "/action-items", reads, "What is to be done after incidents, across all of them, overdue first", s.listActionItems)
	get(s, "/review/clocks", reads, "How the 1-5-10 clock went over a span of time, drills apart", s.reviewClocks)
	get(s, "/alerts", reads, "Alerts that fire now", s.listAlerts)
	get(s, "/charts/headline", reads, "The one curve when nothing is wrong", s.getHeadline)

	get(s, "/changes", seesGate, "Changes, newest first", s.listChanges)
	post(s, "/changes", releases, "Record a change", s.recordChange, created)
	get(s, "/changes/{id}", seesGate, "One change, whole", s.getChange)
	get(s, "/changes/{id}/matrix", seesGate, "A change store by store", s.changeMatrix)
	get(s, "/changes/{id}/gate", seesGate, "How a change stands at the gate: what would be said of its next stage, approvals, reviews", s.gateStanding)
	post(s, "/changes/{id}/events", releases, "Move a change on", s.moveChange)
	post(s, "/changes/{id}/reviews", releases, "Give evidence of reviews", s.reviewChange)
	s.plain("POST", prefix+"/gate/check", access{roles: releases}, "May this go out now?", http.HandlerFunc(s.checkGate), s.gateDocument)
	post(s, "/gate/approvals", commands, "Approve a held change", s.approveChange, created)
	post(s, "/gate/overrides", commands, "Break the glass", s.overrideGate, created)
	get(s, "/gate/overrides", seesGate, "Every broken glass, the newest first", s.listOverrides)
	post(s, "/gate/overrides/{id}/review", commands, "Close what an override left to do", s.reviewOverride)
	get(s, "/gate/hygiene", seesGate, "What is worth to tidy up at the gate", s.gateHygiene)
	get(s, "/gate/held", seesGate, "Open changes that the gate would hold back now, the newest 50", s.gateHeld)
	get(s, "/gate/rules", seesGate, "Policies with their hits, red lines and error budgets as they stand", s.gateRules)
	get(s, "/gate/maintenance", seesGate, "Whether the gate is under maintenance", s.gateMaintenance)
	post(s, "/gate/maintenance", admins, "Put the gate under maintenance, or end it", s.maintainGate)
	s.plain("GET", prefix+"/gate/key", access{public: true}, "The public key that checks the gate's tokens, a JSON Web Key", http.HandlerFunc(s.gateKey), schemaOf[ops.GateKey](s, "200", "OK"))
	post(s, "/gate/unavailable", releases, "Tell that the gate did not answer, and what was done instead", s.missGate, created)
	post(s, "/gate/policies/dry-run", commands, "What a policy would have done to the changes that went out", s.dryRunPolicy)
	get(s, "/freezes", seesGate, "Freeze windows that are not lifted", s.listFreezes)
	post(s, "/freezes", commands, "Add a freeze window", s.addFreeze, created)
	post(s, "/freezes/import", commands, "Add freeze windows from a calendar", s.importFreezes)
	del(s, "/freezes/{id}", commands, "Lift a freeze window", s.liftFreeze)
	get(s, "/freezes/calendar", seesGate, "When the windows are closed", s.freezeCalendar)

	if s.o.Heartbeats != nil {
		s.plain("POST", prefix+"/heartbeats", access{roles: devices, limit: maxHeartbeats}, "Heartbeats, a JSON array or NDJSON, plain, gzip or zstd", s.o.Heartbeats, heartbeatDocument(s))
	}
	get(s, "/fleet", reads, "How many devices are in which state", s.rollUpFleet)
	get(s, "/fleet/causes", reads, "What the devices that are not well have in common", s.listCauses)
	get(s, "/fleet/wall", reads, "The layout of the fleet wall and its cells", s.getWall)
	get(s, "/stores/{id}", reads, "One store with its devices", s.getStore)
	get(s, "/devices", reads, "Devices one by one, in the order of their ids", s.listDevices)
	s.plain("POST", prefix+"/devices", access{roles: commands, limit: maxHeartbeats}, "Make devices known before they beat, 10,000 at most", http.HandlerFunc(s.importDevices), importDocument(s))
	s.plain("POST", prefix+"/devices/retire", access{roles: commands, limit: maxHeartbeats}, "Take devices out of service, 10,000 at most", http.HandlerFunc(s.retireDevices), retireDocument(s))
	post(s, "/devices/{store}/{device}/move", commands, "Take a device to another store, with its state", s.moveDevice)
	post(s, "/devices/{store}/{device}/rename", commands, "Give a device another name", s.renameDevice)
	get(s, "/devices/{id}", reads, "One device, by store%2Fdevice", s.getDevice)
	get(s, "/devices/{store}/{device}", reads, "One device", s.getDeviceOf)
	post(s, "/devices/enrol", devices, "Give a device its own secret, by an enrolment token", s.enrolDevice, created)
	post(s, "/devices/{store}/{device}/login", admins, "Give a device a new secret; the one before ends", s.issueLogin, created)
	del(s, "/devices/{store}/{device}/login", admins, "Take a device's secret back", s.revokeLogin)
	get(s, "/catalog", anyone, "Services, stores and kinds of device", s.getCatalog)

	s.plain("POST", prefix+"/voice", access{roles: says}, "What customers and staff said, one or an array", http.HandlerFunc(s.say), voiceDocument(s))
	get(s, "/voice/topics", reads, "What many say", s.listTopics)

	get(s, "/plans", seesGate, "Response plans", s.listPlans)
	get(s, "/plans/{name}", seesGate, "One plan", s.getPlan)
	post(s, "/plans/{name}/dry-run", responds, "What a plan would do", s.dryRun)
	post(s, "/plans/{name}/runs", responds, "Run a plan", s.startRun, created)
	get(s, "/runs", reads, "Runs of plans, newest first", s.listRuns)
	get(s, "/runs/{id}", reads, "One run and its progress", s.getRun)
	post(s, "/runs/{id}/confirm", responds, "Be the second person", s.confirmRun)
	post(s, "/runs/{id}/abort", responds, "Stop a run", s.abortRun)
	post(s, "/runs/{id}/undo", responds, "Undo a run", s.undoRun)

	get(s, "/drills", reads, "Drills", s.listDrills)
	post(s, "/drills/{name}/runs", commands, "Start a drill", s.startDrill, created)
	get(s, "/drills/runs", reads, "Runs of drills, newest first", s.listDrillRuns)
	get(s, "/drills/runs/{id}", reads, "One run of a drill and its score", s.getDrillRun)
	post(s, "/drills/runs/{id}/abort", responds, "Stop a drill and revert it", s.abortDrill)

	get(s, "/oncall", reads, "Who is on call now, and next", s.listOnCall)
	get(s, "/oncall/schedules", reads, "The rotations", s.listSchedules)
	post(s, "/oncall/schedules", commands, "Not yet: rotations stand in the configuration", s.notYet)
	get(s, "/oncall/overrides", reads, "Not yet: nobody stands in for anybody", s.noOverrides)
	post(s, "/oncall/overrides", commands, "Not yet", s.notYet)
	get(s, "/oncall/policies", reads, "Not yet: there is one policy, in the configuration", s.noOverrides)
	post(s, "/oncall/policies", commands, "Not yet", s.notYet)

	get(s, "/events", reads, "Every change of state, in order", s.listEvents)
	get(s, "/audit", reads, "The audit chain from a time or sequence number on", s.listAudit)
	get(s, "/audit/verify", reads, "Whether the chain is whole", s.verifyAudit)

	get(s, "/tokens", admins, "Tokens, without their secrets", s.listTokens)
	post(s, "/tokens", admins, "Make a token; the answer alone has its secret", s.createToken, created)
	del(s, "/tokens/{id}", admins, "Revoke a token", s.revokeToken)
	s.plain("POST", prefix+"/session", access{public: true}, "Sign a browser in with a token", http.HandlerFunc(s.signIn), sessionDocument(s))
	s.plain("DELETE", prefix+"/session", access{public: true}, "Sign out", http.HandlerFunc(s.signOut), noContent)
	get(s, "/whoami", anyone, "Who you are here", s.whoami)
	s.plain("GET", prefix+"/version", unchecked, "What runs here", http.HandlerFunc(s.version), schemaOf[Version](s, "200", "OK"))
}

// outside lays out what stands beside the native API.
func (s *Server) outside() error {
	s.plain("GET", "/healthz", unchecked, "Alive", http.HandlerFunc(s.healthz))
	s.plain("GET", "/readyz", unchecked, "May take traffic, or 503 and what is missing", http.HandlerFunc(s.readyz))
	s.plain("GET", "/-/healthy", unchecked, "Alive, as Alertmanager's clients ask", http.HandlerFunc(s.healthz))
	s.plain("GET", "/-/ready", unchecked, "May take traffic, as Alertmanager's clients ask", http.HandlerFunc(s.readyz))
	s.plain("POST", "/-/reload", access{roles: admins}, "Read the configuration again", http.HandlerFunc(s.reload))
	if s.o.Metrics != nil {
		s.plain("GET", "/metrics", unchecked, "Prometheus metrics", s.o.Metrics)
	}
	s.plain("GET", "/openapi.json", unchecked, "This document", http.HandlerFunc(s.openapi))
	pages, err := newPages(s.o.UI)
	if err != nil {
		return err
	}
	s.handle("/", unchecked, s.fallback(pages))
	forgetHumaErrors(s.api.OpenAPI())
	return nil
}

// forgetHumaErrors takes the schema of huma's own errors out of the document: none is ever sent.
func forgetHumaErrors(d *huma.OpenAPI) {
	delete(d.Components.Schemas.Map(), "ErrorModel")
	delete(d.Components.Schemas.Map(), "ErrorDetail")
}

// noContent documents a plain route that answers 204.
func noContent(op *huma.Operation) {
	op.Responses = map[string]*huma.Response{"204": {Description: http.StatusText(http.StatusNoContent)}}
}

// pathParams documents a plain route's parameters.
func pathParams(names ...string) option {
	return func(op *huma.Operation) {
		for _, n := range names {
			op.Parameters = append(op.Parameters, &huma.Param{Name: n, In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
		}
	}
}

// body documents a plain route's body as JSON of T.
func body[T any](s *Server, op *huma.Operation) {
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: s.api.OpenAPI().Components.Schemas.Schema(typeOf[T](), true, "")},
	}}
}

func heartbeatDocument(s *Server) option {
	return func(op *huma.Operation) {
		body[[]ops.Heartbeat](s, op)
		schemaOf[batch](s, "202", "The good ones are kept, also when others are rejected")(op)
	}
}

func voiceDocument(s *Server) option {
	return func(op *huma.Operation) {
		body[[]ops.Voice](s, op)
		schemaOf[batch](s, "202", "The good ones are kept, also when others are rejected")(op)
	}
}

func sessionDocument(s *Server) option {
	return func(op *huma.Operation) {
		body[signInRequest](s, op)
		schemaOf[ops.Principal](s, "200", "The answer sets the cookie")(op)
	}
}
