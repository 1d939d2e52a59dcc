// Command token prints a token for groupcast, signed with the secret in a file: what a
// backend in Go does with github.com/golang-jwt/jwt/v5.
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func main() {
	key, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": "7", "exp": time.Now().Add(time.Hour).Unix(),
		"join": []string{"room:*", "user:{sub}"}, "publish": []string{"room:*"},
	}).SignedString(bytes.TrimRight(key, "\n"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(text)
}
