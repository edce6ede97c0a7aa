use super::joint::*;
use charter::approval::*;
#[test]
fn make() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden");
    let put = |name: &str, text: String| std::fs::write(dir.join(name), text).unwrap();
    let house = House::new(None);
    let anna = house.key("anna", "ctie");
    let request = house.anna_asks("tenant-add");
    let mut d = house.open(&request).unwrap();
    let ben = approval(&request, house.key("ben", "ctie"));
    d.approve(ben.clone()).unwrap();
    let order = Order::from(d.resolve(at(0), &memory()).unwrap());
    put("secret-key-format-1.key", anna.to_text().to_string());
    put("public-key-format-1.pub", anna.public().unwrap().to_text());
    put(
        "card-format-1.card",
        card(&house.parties[0], anna, 1).to_text(),
    );
    put("request-format-1.request", request.to_text());
    put("approval-format-1.approval", ben.to_text());
    put(
        "veto-format-1.veto",
        veto(&request, house.key("david", "proximus")).to_text(),
    );
    put("order-format-1.order", order.to_text());
    let signed = House::new(Some("ctie AND (luxconnect OR proximus)")).charter;
    put("charter-format-2.toml", signed.to_toml());
    put(
        "charter-format-1.toml",
        charter::Charter::default().to_toml(),
    );
    put(
        "matrix-default.txt",
        charter::who::matrix(&charter::Charter::default()).unwrap(),
    );
    put("matrix-signed.txt", charter::who::matrix(&signed).unwrap());
    println!("CHARTER2 {}", signed.digest());
    println!("REQUEST {}", request.request().digest());
}
