package problem

import (
	"errors"
	"net/http/httptest"
	"reflect"
	"testing"
)

// TestRoundTrip: what is written is read again; an error that joins several has a
// line for each.
func TestRoundTrip(t *testing.T) {
	for _, test := range []struct {
		err  error
		body string
	}{
		{errors.New("no"), `{"title":"Conflict","status":409,"detail":"no"}`},
		{
			errors.Join(errors.New("a"), errors.New("b")),
			`{"title":"Conflict","status":409,"detail":"a\nb","errors":[{"message":"a"},{"message":"b"}]}`,
		},
	} {
		out := httptest.NewRecorder()
		Of(409, test.err).Write(out)
		if out.Body.String() != test.body+"\n" || out.Code != 409 || out.Header().Get("Content-Type") != MediaType {
			t.Errorf("%d %v %s, want %s", out.Code, out.Header(), out.Body, test.body)
		}
		if got := Read(out.Code, out.Body.Bytes()); !reflect.DeepEqual(got, Of(409, test.err)) ||
			got.Error() != test.err.Error() {
			t.Errorf("read %+v", got)
		}
	}
}

// TestReadOfOthers: an answer that is no problem says its status.
func TestReadOfOthers(t *testing.T) {
	for _, body := range []string{"", "404 page not found\n", "{", `{"x":1}`, "null"} {
		if got := Read(404, []byte(body)); got.Status != 404 || got.Error() != "404 Not Found" {
			t.Errorf("%q is %+v", body, got)
		}
	}
}
