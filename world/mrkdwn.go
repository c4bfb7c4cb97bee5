package world

import (
	"html"
	"html/template"
	"regexp"
)

// The parts of Slack's mrkdwn that GOC writes, and how a page shows them.
var (
	dated  = regexp.MustCompile(`<!date\^\d+\^[^|>]*\|([^>]*)>`)
	linked = regexp.MustCompile(`<https?://[^|>]*\|([^>]*)>`)
	bold   = regexp.MustCompile(`(^|\s)\*([^*\n]+)\*`)
	italic = regexp.MustCompile(`(?m)^_([^\n]+)_$`)
)

// mrkdwn renders a message's text: dates and links by their words, *bold* and _a line in italics_, everything else as it is.
func mrkdwn(s string) template.HTML {
	s = dated.ReplaceAllString(s, "$1")
	s = linked.ReplaceAllString(s, "$1")
	s = html.EscapeString(html.UnescapeString(s)) // Slack escapes & < >, and nothing else
	s = bold.ReplaceAllString(s, "$1<b>$2</b>")
	return template.HTML(italic.ReplaceAllString(s, "<i>$1</i>"))
}
