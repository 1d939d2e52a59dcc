// Package page is what a browser shows of a running server, at / of the API: live
// numbers for people who would rather look, and two boxes to try it with. It is
// plain HTML, CSS and JavaScript modules, embedded, with no build step and nothing
// from elsewhere.
//
// # Reading order
//
//	page.go              the handler, and the headers that fence the page in
//	files/index.html     all that is on the page
//	files/main.js        a status once a second, the history where it is due; tokens, an absent server
//	files/api.js         requests
//	files/past.js        the last two minutes, by the server's clock
//	files/view.js        a status on the page
//	files/facts.js       what is said of the server as a whole
//	files/cluster.js     the cluster, where there is one
//	files/terms.js       the words of it, and what they mean
//	files/chart.js       the charts
//	files/events.js      what has happened, in words
//	files/publish.js     the box that publishes
//	files/listen.js      the box that joins a group over a WebSocket
//	files/closecodes.js  why a WebSocket ended, in words
//	files/groups.js      one group, and what can be done with it
//	files/groupfield.js  fields for groups' names, of blanks and line breaks too
//	files/sessions.js    sessions: found, looked at, closed
//	files/who.js         who a session is, and what it may do
//	files/dialog.js      asking first
//	files/rows.js        tables that change without jumping
//	files/format.js      numbers and names as people read them
//	files/theme.js       the chosen theme, before the first paint
//
// # Decisions
//
// 2026-11-23: the page needs no token, since it holds nothing secret: the numbers
// come from the API, with a token if that wants one. The token is kept in the tab's
// sessionStorage, so it is gone with the tab and no other site can read it.
//
// 2026-11-23: what is shown of a name or a message is set as text, and the page's
// policy lets nothing else be: trusted types are required and none can be made.
// Control characters and marks of direction are shown as \u{...}.
//
// 2026-11-23: WebSockets may be opened to the host that the page was asked of, at
// any port, because the loops listen on other ports than the API. To allow ws: and
// wss: to all the world would be simpler, but would also let a mistake in the page
// carry a token away. The price is paid by the operator who binds the WebSocket listener to
// one address and opens the page by another, and behind a proxy that does not pass
// the Host header on: the page then says what is wrong. An IPv6 address as a host
// is no exception by choice: the grammar of such policies has no word for it, so
// there the schemes alone are allowed.
//
// 2026-11-23: addresses in the page are relative, so that a proxy can serve the
// whole API under a path. Files are not cached without asking (they have tags, so
// asking is cheap): a page never runs with another version's script.
//
// 2026-11-25: the charts have their data from the server's memory (GET /v1/history), so
// that they are full at once: for who opens the page because something has just
// happened, for a second viewer, and in a tab that was in the background. All times in
// them are the server's, whose clock need not be that of the browser. Two minutes, and
// no more: Prometheus is there for history.
//
// 2026-11-25: latency is on a logarithmic axis, which says so, from 100 us to 1 s. On a
// linear one a single slow second makes all others a line at zero.
//
// 2026-11-25: while the API wants a token nothing is shown but the form. Empty charts
// and boxes that do nothing looked like a server with nobody on it.
//
// 2026-11-25: what closes a session or empties a group asks before, in a dialog whose
// first button is to leave it. A group's members are listed some at a time, and each opens
// its session.
package page
