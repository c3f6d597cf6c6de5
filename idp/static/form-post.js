// Sends the answer to the application (OAuth 2.0 Form Post Response Mode §2); without
// scripts, the page's button does.
document.getElementById("form-post").requestSubmit();
