// Command go is a client of groupcast: go run . ws://127.0.0.1:1234 123 'hello from Go'
//
// It joins the group, sends it the message, and prints all that the group is sent.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

func main() {
	ctx, url, group, message := context.Background(), os.Args[1], os.Args[2], os.Args[3]
	conn, _, err := websocket.Dial(ctx, url, nil)
	for _, command := range []map[string]string{
		{"cmd": "add_group", "group_id": group},
		{"cmd": "send_to_group", "group_id": group, "message": message},
	} {
		if err == nil {
			err = wsjson.Write(ctx, conn, command)
		}
	}
	for err == nil {
		var text []byte
		if _, text, err = conn.Read(ctx); err == nil {
			fmt.Println(string(text))
		}
	}
	if websocket.CloseStatus(err) != websocket.StatusGoingAway {
		log.Fatal(err)
	}
}
