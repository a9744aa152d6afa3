{
  server = {
    server_name = "example.com";
    public_baseurl = "https://matrix.example.com/";
  };
}
