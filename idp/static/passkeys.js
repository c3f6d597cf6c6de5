// Passkeys (WebAuthn Level 3): the one thing on these pages that can't work without a script.
//
// A form with data-passkey="get" or "create" stays hidden until the browser is known to be
// able to do it. Its button asks for a challenge (data-options), lets the browser answer, and
// sends the answer in the form's field. With data-autofill, passkeys are offered in the
// user name's autofill as well (conditional mediation).
(() => {
  "use strict";

  if (!window.PublicKeyCredential || !navigator.credentials) return;

  // A challenge lives for five minutes: a page that waits longer asks for a new one.
  const FRESH = 4 * 60 * 1000;

  const bytes = (text) => {
    const padded = text.replace(/-/g, "+").replace(/_/g, "/");
    return Uint8Array.from(atob(padded), (character) => character.charCodeAt(0));
  };

  const text = (buffer) => {
    let binary = "";
    for (const byte of new Uint8Array(buffer)) binary += String.fromCharCode(byte);
    return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };

  const known = (list) => (list || []).map((each) => ({ ...each, id: bytes(each.id) }));

  async function optionsFor(form) {
    const body = new URLSearchParams({ csrf_token: form.elements.csrf_token.value });
    const response = await fetch(form.dataset.options, { method: "POST", body, redirect: "manual" });
    if (!response.ok) return null;
    const options = await response.json();
    options.challenge = bytes(options.challenge);
    if (options.user) options.user.id = bytes(options.user.id);
    if (options.allowCredentials) options.allowCredentials = known(options.allowCredentials);
    if (options.excludeCredentials) options.excludeCredentials = known(options.excludeCredentials);
    return options;
  }

  function answerOf(credential) {
    const { response } = credential;
    const answer = {
      id: credential.id,
      rawId: text(credential.rawId),
      type: credential.type,
      response: { clientDataJSON: text(response.clientDataJSON) },
    };
    if (response.attestationObject) {
      answer.response.attestationObject = text(response.attestationObject);
      answer.response.transports = response.getTransports ? response.getTransports() : [];
    } else {
      answer.response.authenticatorData = text(response.authenticatorData);
      answer.response.signature = text(response.signature);
      if (response.userHandle) answer.response.userHandle = text(response.userHandle);
    }
    return answer;
  }

  function send(form, credential) {
    form.elements.credential.value = JSON.stringify(answerOf(credential));
    form.submit();
  }

  function prepare(form) {
    const button = form.querySelector("button");
    const trouble = form.querySelector("[data-trouble]");
    const known = form.querySelector("[data-known]");
    let autofill = null;
    let timer = 0;

    const stopAutofill = () => {
      window.clearTimeout(timer);
      if (autofill) autofill.abort();
      autofill = null;
    };

    const startAutofill = async () => {
      stopAutofill();
      if (!("autofill" in form.dataset)) return;
      if (!(await window.PublicKeyCredential.isConditionalMediationAvailable?.())) return;
      const mine = new AbortController();
      autofill = mine;
      const options = await optionsFor(form);
      if (!options || mine.signal.aborted) return;
      timer = window.setTimeout(whenLooking(startAutofill), FRESH);
      try {
        const credential = await navigator.credentials.get({
          publicKey: options,
          mediation: "conditional",
          signal: mine.signal,
        });
        if (credential) send(form, credential);
      } catch (error) {
        // Stopped, or declined in the browser's own list: the form is there still.
      }
    };

    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (button.disabled) return;
      stopAutofill();
      button.disabled = true;
      trouble.hidden = true;
      if (known) known.hidden = true;
      // What an earlier act came to is no answer to this one
      document.querySelectorAll("main > .notice-good").forEach((each) => each.remove());
      try {
        const publicKey = await optionsFor(form);
        if (!publicKey) {
          window.location.reload();
          return;
        }
        const credential = await navigator.credentials[form.dataset.passkey]({ publicKey });
        send(form, credential);
      } catch (error) {
        button.disabled = false;
        // It holds one of those that are not to be made again: to try again would not help
        (known && error.name === "InvalidStateError" ? known : trouble).hidden = false;
        startAutofill();
      }
    });

    // Back from the browser's cache, the button works again
    window.addEventListener("pageshow", () => {
      button.disabled = false;
    });
    form.hidden = false;
    startAutofill();
  }

  // Runs what is due only while somebody looks at the page.
  function whenLooking(what) {
    return () => {
      if (document.visibilityState === "visible") {
        what();
        return;
      }
      document.addEventListener("visibilitychange", what, { once: true });
    };
  }

  // Whether this device could make a passkey by itself is said with the password.
  async function say(field) {
    const able = window.PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable;
    if (await able?.call(window.PublicKeyCredential)) field.value = "yes";
  }

  document.querySelectorAll("form[data-passkey]").forEach(prepare);
  document.querySelectorAll("[data-platform]").forEach(say);
})();
