package klammtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// patience is longer than the broker itself lets a call take: a move of the clock has 30 seconds.
const patience = 60 * time.Second

// control calls the broker's HTTP side, each time on a connection of its own and past any proxy.
type control struct {
	address string
	client  *http.Client
}

func newControl(address string) control {
	return control{address, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

// answer is what the broker says, whatever it is.
type answer struct {
	status int
	body   []byte
}

// call asks, with a body of bytes as they are, or of JSON.
func (c control) call(method, path string, words url.Values, body any, more time.Duration) (answer, error) {
	if len(words) > 0 {
		path += "?" + words.Encode()
	}
	var content io.Reader
	switch body := body.(type) {
	case nil:
	case []byte:
		content = bytes.NewReader(body)
	default:
		text, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequest(method, c.address+path, content)
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	client := *c.client
	client.Timeout = patience + more
	response, err := client.Do(request)
	if err != nil {
		return answer{}, fmt.Errorf("the broker does not answer: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, fmt.Errorf("the broker does not answer: %w", err)
	}
	return answer{response.StatusCode, text}, nil
}

// ask takes the body of an answer that agrees into found; else the error is the broker's sentence.
func (c control) ask(method, path string, words url.Values, body, found any) error {
	answer, err := c.call(method, path, words, body, 0)
	if err != nil {
		return err
	}
	return answer.agreed(found)
}

func (a answer) agreed(found any) error {
	if a.status != http.StatusOK {
		return errors.New(a.sentence())
	}
	if found == nil {
		return nil
	}
	return json.Unmarshal(a.body, found)
}

func (a answer) sentence() string {
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(a.body, &said) != nil || said.Error == "" {
		return fmt.Sprintf("HTTP status %d: %s", a.status, a.body)
	}
	return said.Error
}
